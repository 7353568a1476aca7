/* config/hints.c: rules that recognise values which are probably not intended. Thread that loads the configuration.
 *
 * A rule must not match what people write on purpose, such as a quote or a "#" in the middle of a text, or a path with "//". It must not match after a
 * backslash. Only one rule matches for one cause. */
#include "config/hints.h"

#include <ctype.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Returns where `wanted` occurs in `text` without a backslash before it, or NULL. */
static const char *find_plain(const char *text, const char *wanted)
{
    for (; *text; text++) {
        if (strncmp(text, wanted, strlen(wanted)) == 0)
            return text;
        if (*text == '\\' && text[1] != '\0')
            text++;
    }
    return NULL;
}

/* Whether `wanted` occurs in `text` after a blank. */
static bool has_after_blank(const char *text, const char *wanted)
{
    for (const char *at = strstr(text, wanted); at; at = strstr(at + 1, wanted))
        if (at > text && is_blank(at[-1]))
            return true;
    return false;
}

/* Whether the text begins and ends with this character and does not contain it in between. */
static bool is_between(const char *text, char quote)
{
    const char *end = *text == quote ? find_plain(text + 1, (char[]){quote, '\0'}) : NULL;
    return end && end[1] == '\0';
}

static bool is_quoted(const struct config_hints_value *value)
{
    return is_between(value->text, '"') || is_between(value->text, '\'');
}

static bool has_typographic_quotes(const struct config_hints_value *value)
{
    static const char *const marks[] = {"“", "”", "„", "‘", "’", "‚", "«", "»", "‹", "›"};
    size_t n = strlen(value->text), begins = 0, ends = 0;

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t bytes = strlen(marks[i]);
        if (n >= bytes && memcmp(value->text, marks[i], bytes) == 0)
            begins = bytes;
        if (n >= bytes && memcmp(value->text + n - bytes, marks[i], bytes) == 0)
            ends = bytes;
    }
    return begins > 0 && ends > 0 && n >= begins + ends;
}

static bool is_cut_between_quotes(const struct config_hints_value *value)
{
    char quote = value->text[0];

    return (quote == '"' || quote == '\'') && !find_plain(value->text + 1, (char[]){quote, '\0'}) &&
           memchr(value->comment, quote, value->comment_bytes);
}

/* Among the options of a backend, the same mistake is an error. */
static bool has_hash_comment(const struct config_hints_value *value)
{
    const char *text = value->text;
    if (value->key->type == CONFIG_BACKEND)
        return false;
    return has_after_blank(text, "#") || (text[0] == '#' && (text[1] == '\0' || is_blank(text[1])));
}

static bool has_slash_comment(const struct config_hints_value *value)
{
    const char *text = value->text, *end = strrchr(text, '*');

    if (value->key->type == CONFIG_BACKEND)
        return false;
    return has_after_blank(text, "//") || (has_after_blank(text, "/*") && end && strcmp(end, "*/") == 0);
}

static bool has_comment(const struct config_hints_value *value)
{
    return has_hash_comment(value) || has_slash_comment(value);
}

/* In the middle of a text, a ";" is probably intended. */
static bool has_semicolon(const struct config_hints_value *value)
{
    if (value->text[0] == ';')
        return true;
    for (const char *at = find_plain(value->text, ";"); at; at = find_plain(at + 1, ";"))
        if (at[1] == '\0' || (is_blank(at[1]) && value->key->type != CONFIG_TEXT && !config_key_keeps_escapes(value->key)))
            return true;
    return false;
}

static bool has_second_equals(const struct config_hints_value *value)
{
    return value->text[0] == '=';
}

static bool has_command(const struct config_hints_value *value)
{
    return find_plain(value->text, "$(") || is_between(value->text, '`');
}

static bool has_bare_variable(const struct config_hints_value *value)
{
    if (has_command(value))
        return false;
    for (const char *at = find_plain(value->text, "$"); at; at = find_plain(at + 1, "$"))
        if (isalpha((unsigned char)at[1]) || at[1] == '_')
            return true;
    return false;
}

static bool is_unfilled_template(const struct config_hints_value *value)
{
    const char *begin = find_plain(value->text, "{{");
    return begin && strstr(begin, "}}");
}

static bool is_path(const struct config_hints_value *value)
{
    return value->key->type == CONFIG_SINK || value->key->type == CONFIG_PATH || value->key->type == CONFIG_INCLUDE;
}

static bool is_in_home(const struct config_hints_value *value)
{
    return is_path(value) && value->text[0] == '~';
}

static bool is_url_for_path(const struct config_hints_value *value)
{
    size_t n = strspn(value->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-");
    if (value->key->type == CONFIG_SINK && strncmp(value->text, "syslog:", strlen("syslog:")) == 0 && !strchr(value->text, '/'))
        return false; /* its facility, right or wrong */
    return is_path(value) && n > 0 && value->text[n] == ':';
}

static bool is_path_with_options(const struct config_hints_value *value)
{
    bool address = value->key->type == CONFIG_BIND || value->key->type == CONFIG_ADDRESS;

    return address && strncmp(value->text, "unix:", 5) == 0 && strpbrk(value->text, " \t") && !has_comment(value);
}

static bool is_url_for_host(const struct config_hints_value *value)
{
    return strcmp(value->key->name, "check_host") == 0 && find_plain(value->text, "/") && !has_comment(value);
}

static const struct {
    bool (*applies)(const struct config_hints_value *value);
    const char *advice;
} rules[] = {
    {is_quoted, "the quotes are part of the value; leave them out, or write a backslash before each that is meant"},
    {has_typographic_quotes, "the quotation marks are part of the value; leave them out"},
    {is_cut_between_quotes, "the \";\" after a blank starts a comment, between quotes too; write \\; for a semicolon, and leave the quotes out"},
    {has_hash_comment, "\"#\" does not start a comment here; it is part of the value; write \";\" for a comment at the end of a line, or \\# if it is meant"},
    {has_slash_comment, "\"//\" or \"/*\" does not start a comment here; it is part of the value; write \";\" for a comment at the end of a line, "
                        "or \\/ if it is meant"},
    {has_semicolon, "the \";\" is part of the value, since no blank is before it; leave it out, write \" ;\" for a comment, or \\; if it is meant"},
    {has_second_equals, "the second \"=\" is part of the value; write \"key = value\", or \\= if it is meant"},
    {has_bare_variable, "a \"$\" without braces is part of the value; write ${NAME} for a variable of the environment, or \\$ if it is meant"},
    {has_command, "commands are not run; write ${NAME} and set NAME in the environment, or a backslash before \"$\" or \"`\" if it is meant"},
    {is_unfilled_template, "looks like a template that was not filled in; \"{{\" and \"}}\" are part of the value; write \\{{ if they are meant"},
    {is_in_home, "\"~\" is not the home directory here; write the whole path, or \\~ if it is meant"},
    {is_url_for_path, "a path has no scheme; write the path alone, or ./ before it if it is meant"},
    {is_path_with_options, "the blank and what follows are part of the path; a bind takes an address and nothing else"},
    {is_url_for_host, "a Host header has neither scheme nor path; write the host alone, or HOST:PORT, or \\/ if it is meant"},
};

void config_hints_give(struct config_errors *errors, const struct config_place *place, const struct config_hints_value *value)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].applies(value))
            config_errors_warn(errors, place, "%s = %s: %s", value->key->name, value->text, rules[i].advice);
}

bool config_hints_apply(const struct config_hints_value *value)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].applies(value))
            return true;
    }
    return false;
}
