/* config/text.c: writes a configuration as the text of a file, from what its files said. Any thread; owns nothing.
 *
 * Escapes are written where the reader would otherwise take a character for something else: a comment, a variable, a blank around the value. */
#include "config/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/payload.h"
#include "config/hints.h"
#include "config/include.h"
#include "config/load.h"

#define BLANKS " \t"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* How the characters of a value are written. */
struct style {
    bool keeps_escapes; /* the value has escapes of its own, of base/payload.h or base/expect.h */
    bool all;           /* escape everything that a hint would warn of */
};

/* Returns what is written for the character at `at` so that it is read as itself, or NULL if that needs no escape. `before` is the character before it: a blank
 * at the beginning, '\0' after an escape. A value that keeps its escapes needs more of them only for what a variable held. */
static const char *find_escape(const struct style *style, const char *at, char before)
{
    if (style->keeps_escapes) /* an expression has neither at this place */
        return *at == ';' && is_blank(before) ? "\\x3b" : *at == '{' && before == '$' ? "\\x7b" : NULL;
    if (*at == ';')
        return is_blank(before) ? "\\;" : NULL;
    if (*at == '$')
        return at[1] == '{' ? "\\$" : NULL;
    return *at == '\\' ? "\\\\" : NULL;
}

/* Returns what is written for a blank that would be removed, or would begin a comment. */
static const char *find_blank(const struct style *style, char blank)
{
    if (blank == '\t')
        return "\\t";
    return style->keeps_escapes ? "\\x20" : "\\s";
}

static void put_value(FILE *out, const struct style *style, const char *text, size_t n)
{
    char before = ' ';

    for (size_t i = 0; i < n; i++) {
        bool is_pair = text[i] == '\\' && style->keeps_escapes && i + 1 < n;
        bool is_hidden = is_blank(text[i]) && (i == 0 || i + 1 == n || (style->keeps_escapes && text[i + 1] == ';'));
        const char *escape = is_hidden ? find_blank(style, text[i]) : find_escape(style, text + i, before);

        before = is_pair || is_hidden ? '\0' : text[i];
        if (is_pair)
            (void)fprintf(out, "\\%c", text[++i]);
        else if (escape)
            (void)fputs(escape, out);
        else
            (void)fprintf(out, "%s%c", style->all && strchr(CONFIG_ESCAPED, text[i]) ? "\\" : "", text[i]);
    }
}

/* Writes the words of a value with one blank between them. */
static void put_words(FILE *out, const struct style *style, const char *text)
{
    for (const char *word = text + strspn(text, BLANKS); *word; word += strspn(word, BLANKS)) {
        size_t n = strcspn(word, BLANKS);

        (void)putc_unlocked(' ', out);
        put_value(out, style, word, n);
        word += n;
    }
}

static void put_key(FILE *out, enum config_section kind, const struct config_raw_key *raw)
{
    const struct config_hints_value hints = {.key = config_key_find(kind, raw->name), .text = raw->value, .comment = ""};
    struct style style = {.keeps_escapes = config_key_keeps_escapes(hints.key)};
    size_t n = strlen(raw->value);

    style.all = !style.keeps_escapes && config_hints_apply(&hints);
    (void)fprintf(out, "%s =", raw->name);
    if (hints.key->type == CONFIG_BACKEND) {
        put_words(out, &style, raw->value);
    } else {
        while (style.keeps_escapes && payload_is_hex(raw->value) && n > 0 && is_blank(raw->value[n - 1]))
            n--; /* here, "\x20" would not be a blank */
        (void)putc_unlocked(' ', out);
        put_value(out, &style, raw->value, n);
    }
    (void)putc_unlocked('\n', out);
}

static bool is_include(const struct config_raw_section *section, const struct config_raw_key *raw)
{
    return config_key_find(section->kind, raw->name)->type == CONFIG_INCLUDE;
}

/* Writes the sections of one kind without a name as one: a file may have only one. */
static void put_unnamed(FILE *out, const struct config_raw *raw, enum config_section kind)
{
    bool begun = false;

    for (const struct config_raw_section *section = raw->sections; section; section = section->next) {
        for (const struct config_raw_key *key = section->kind == kind ? section->keys : NULL; key; key = key->next) {
            if (is_include(section, key))
                continue;
            if (!begun)
                (void)fprintf(out, "[%s]\n", config_section_name(kind));
            begun = true;
            put_key(out, kind, key);
        }
    }
    if (begun)
        (void)putc_unlocked('\n', out);
}

static void put_named(FILE *out, const struct config_raw *raw)
{
    const char *before = "";

    for (const struct config_raw_section *section = raw->sections; section; section = section->next) {
        if (section->name[0] == '\0')
            continue;
        (void)fprintf(out, "%s[%s %s]\n", before, config_section_name(section->kind), section->name);
        for (const struct config_raw_key *key = section->keys; key; key = key->next)
            put_key(out, section->kind, key);
        before = "\n";
    }
}

char *config_text(const struct config *config)
{
    const struct config_raw *raw = &config_loaded_of(config)->raw;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        return NULL;
    put_unnamed(out, raw, CONFIG_IN_GLOBAL);
    put_unnamed(out, raw, CONFIG_IN_DEFAULTS);
    put_named(out, raw);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
