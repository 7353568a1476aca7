/* config/file.c: reads one configuration text, line by line, through inih. Thread that loads the configuration.
 *
 * inih splits the lines. It would silently truncate long names, join indented lines, accept ":" for "=", and lose line numbers and empty sections. The reader
 * that feeds it checks all this first, and passes on only lines that inih interprets as we do. The buffer of inih holds 200 bytes, so it gets keys without
 * their values, which the reader keeps. */
#include "config/file.h"

#include <assert.h>
#include <ctype.h>
#include <ini.h>
#include <stdint.h>
#include <string.h>

#include "config/hints.h"
#include "config/include.h"
#include "config/keys.h"
#include "config/suggest.h"

/* inih keeps 49 bytes of the text between the brackets. */
#define SECTION_BYTES_MAX 49
/* Fits into the buffer of inih together with the "=". */
#define KEY_BYTES_MAX 100

struct reader {
    struct config_files *files;
    const struct config_source *source;
    const char *at, *end;
    unsigned line;
    const char *value; /* value of the line that inih got last: `value_bytes` bytes of the text, without blanks and comment */
    size_t value_bytes;
    const char *comment; /* after the value */
    size_t comment_bytes;
    const struct config_raw_section *global, *defaults; /* of this file */
    struct config_raw_section *section; /* NULL before the first header and after a refused header */
    bool skipping;                      /* the last header was refused, so its keys are skipped */
};

static const struct {
    enum config_section kind;
    bool named;
    const char *name;
} section_kinds[] = {
    {CONFIG_IN_GLOBAL, false, "global"},
    {CONFIG_IN_DEFAULTS, false, "defaults"},
    {CONFIG_IN_LISTENER, true, "listener"},
    {CONFIG_IN_POOL, true, "pool"},
};

#define SECTION_KINDS (sizeof(section_kinds) / sizeof(section_kinds[0]))

const char *config_section_name(enum config_section kind)
{
    size_t i = 0;
    while (section_kinds[i].kind != kind)
        i++;
    return section_kinds[i].name;
}

#define refuse(reader, ...) \
    config_errors_add((reader)->files->errors, &(struct config_place){(reader)->source, (reader)->line}, __VA_ARGS__)

bool config_is_name(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (!isalnum((unsigned char)text[n]) && !strchr("_-.", text[n]))
            return false;
    return n > 0 && n <= 63;
}

static void unknown_section(struct reader *reader, const char *kind)
{
    struct suggest suggest = {0};
    for (size_t i = 0; i < SECTION_KINDS; i++)
        suggest_offer(&suggest, kind, section_kinds[i].name);
    if (suggest.nearest)
        refuse(reader, "unknown section [%s]; did you mean [%s]?", kind, suggest.nearest);
    else
        refuse(reader, "unknown section [%s]; there are [global], [defaults], [listener NAME] and [pool NAME]", kind);
}

/* Returns the section that this header repeats. [global] and [defaults] may appear once in each file, because an included file needs [global] to include
 * more. Their keys are still compared over all files. */
static const struct config_raw_section *same_section(const struct reader *reader, enum config_section kind, const char *name)
{
    const struct config_raw *raw = reader->files->raw;

    switch (kind) {
    case CONFIG_IN_GLOBAL:
        return reader->global;
    case CONFIG_IN_DEFAULTS:
        return reader->defaults;
    default:
        return config_index_find(kind == CONFIG_IN_LISTENER ? &raw->listeners : &raw->pools, name);
    }
}

/* Stores a new section where same_section() finds it. */
static void remember_section(struct reader *reader, struct config_raw_section *section)
{
    struct config_raw *raw = reader->files->raw;

    switch (section->kind) {
    case CONFIG_IN_GLOBAL:
        reader->global = section;
        break;
    case CONFIG_IN_DEFAULTS:
        reader->defaults = section;
        break;
    case CONFIG_IN_LISTENER:
        section->position = raw->listener_count++;
        config_index_add(&raw->listeners, reader->files->arena, section->name, section);
        break;
    case CONFIG_IN_POOL:
        section->position = raw->pool_count++;
        config_index_add(&raw->pools, reader->files->arena, section->name, section);
        break;
    }
}

/* Splits "kind name" in place and opens the section. Returns false if it is refused. */
static bool open_section(struct reader *reader, char *text)
{
    struct config_files *files = reader->files;
    const struct config_raw_section *same;
    struct config_raw_section *section;
    char *rest, *kind = strtok_r(text, " \t", &rest);
    char *name = kind ? strtok_r(NULL, " \t", &rest) : NULL;
    size_t i = 0;

    if (!kind)
        return refuse(reader, "a section without a name: []"), false;
    while (i < SECTION_KINDS && strcmp(section_kinds[i].name, kind) != 0)
        i++;
    if (i == SECTION_KINDS)
        return unknown_section(reader, kind), false;
    if (section_kinds[i].named && !name)
        return refuse(reader, "[%s] needs a name: [%s NAME]", kind, kind), false;
    if (!section_kinds[i].named && name)
        return refuse(reader, "[%s] takes no name", kind), false;
    if (strtok_r(NULL, " \t", &rest) || (name && !config_is_name(name)))
        return refuse(reader, "the name of a %s is made of letters, digits, \"_\", \"-\" and \".\"", kind), false;
    same = same_section(reader, section_kinds[i].kind, name ? name : "");
    if (same && same->place.source == reader->source)
        return refuse(reader, "section [%s%s%s] again; first on line %u", kind, name ? " " : "", name ? name : "",
                      same->place.line), false;
    if (same)
        return refuse(reader, "section [%s %s] again; first at %s:%u", kind, name, same->place.source->file,
                      same->place.line), false;

    section = config_arena_alloc(files->arena, sizeof(*section));
    if (!section)
        return false;
    section->kind = section_kinds[i].kind;
    section->name = name ? config_arena_copy(files->arena, name, strlen(name)) : "";
    section->place = (struct config_place){reader->source, reader->line};
    if (!section->name)
        return false;
    if (files->raw->last_section)
        files->raw->last_section->next = section;
    else
        files->raw->sections = section;
    files->raw->last_section = section;
    remember_section(reader, section);
    reader->section = section;
    return true;
}

/* Checks a header, given without a comment. Returns how many of its bytes inih gets, or 0 if it is refused. */
static size_t take_header(struct reader *reader, const char *line, size_t n)
{
    char text[SECTION_BYTES_MAX + 1];
    const char *end = memchr(line, ']', n);
    bool good = false;

    reader->section = NULL;
    if (!end) {
        refuse(reader, "no \"]\" at the end of the section name");
    } else if (end + 1 != line + n) {
        refuse(reader, "something after the \"]\" of a section (keys go on lines of their own)");
    } else if (n - 2 > SECTION_BYTES_MAX) {
        refuse(reader, "section name of %zu bytes; at most %d fit between the brackets", n - 2, SECTION_BYTES_MAX);
    } else {
        memcpy(text, line + 1, n - 2);
        text[n - 2] = '\0';
        good = open_section(reader, text);
    }
    reader->skipping = !good;
    return good ? n : 0;
}

/* Whether the part of a line before its value is correct: a key and a `separator` ('\0' for none), in a section that was not refused. */
static bool check_key(struct reader *reader, const char *key, size_t key_bytes, char separator)
{
    if (key_bytes > KEY_BYTES_MAX)
        refuse(reader, "key of %zu bytes; at most %d are allowed", key_bytes, KEY_BYTES_MAX);
    else if (separator == ':')
        refuse(reader, "\":\" after \"%.*s\"; write \"key = value\"", (int)key_bytes, key);
    else if (separator != '=')
        refuse(reader, "not a [section], a \"key = value\" or a comment (which begins with \";\")");
    else if (key_bytes == 0)
        refuse(reader, "no key before the \"=\"");
    else if (!reader->section && !reader->skipping)
        refuse(reader, "key \"%.*s\" before the first [section]", (int)key_bytes, key);
    else
        return reader->section != NULL;
    return false;
}

/* Checks a "key = value", given without a comment, and keeps the value in the reader. Returns the length of the key, or 0 if the line is refused. */
static size_t take_pair(struct reader *reader, const char *line, size_t n)
{
    size_t at = 0, key_bytes;

    while (at < n && !strchr("=:;", line[at]))
        at++;
    key_bytes = at;
    while (key_bytes > 0 && isspace((unsigned char)line[key_bytes - 1]))
        key_bytes--;
    if (!check_key(reader, line, key_bytes, at < n ? line[at] : '\0'))
        return 0;
    do
        at++;
    while (at < n && isspace((unsigned char)line[at]));
    reader->value = line + at;
    reader->value_bytes = n - at;
    return key_bytes;
}

/* Whether the line has content: it is not empty, not a comment, and is text. */
static bool check_line(struct reader *reader, const char *line, size_t n)
{
    if (n == 0 || *line == ';' || *line == '#')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f) {
            refuse(reader, "control character 0x%02x in the line", (unsigned char)line[i]);
            return false;
        }
    }
    return true;
}

/* Returns the length of a line without the comment at its end, which does not count for the limit. The comment begins with a ";" after a blank. */
static size_t without_comment(const char *line, size_t n)
{
    const char *bracket = *line == '[' ? memchr(line, ']', n) : NULL;

    for (size_t i = bracket ? (size_t)(bracket - line) + 1 : 1; i < n; i++) {
        if (line[i] == ';' && isspace((unsigned char)line[i - 1])) {
            n = i;
            while (n > 0 && isspace((unsigned char)line[n - 1]))
                n--;
        }
    }
    return n;
}

static bool check_length(struct reader *reader, const char *line, size_t n)
{
    if (n <= CONFIG_LINE_BYTES_MAX)
        return true;
    refuse(reader, "line of %zu bytes; at most %d are allowed", n, CONFIG_LINE_BYTES_MAX);
    if (*line == '[') { /* the previous section ends here, even if this header is refused */
        reader->section = NULL;
        reader->skipping = true;
    }
    return false;
}

/* Writes what inih gets for a line, which has no blanks at its ends: nothing if the line is refused or has no content. */
static void give_line(struct reader *reader, char *out, const char *line, size_t n)
{
    size_t given = 0, whole = n;

    if (check_line(reader, line, n)) {
        n = without_comment(line, n);
        reader->comment = line + n;
        reader->comment_bytes = whole - n;
        if (check_length(reader, line, n))
            given = *line == '[' ? take_header(reader, line, n) : take_pair(reader, line, n);
    }
    memcpy(out, line, given);
    if (given > 0 && *line != '[')
        out[given++] = '=';
    out[given] = '\0';
}

/* Reader for inih, like fgets(): returns one line of the text for each call. */
static char *next_line(char *out, int size, void *stream)
{
    struct reader *reader = stream;
    const char *start = reader->at, *newline;
    size_t n;

    if (start == reader->end)
        return NULL;
    newline = memchr(start, '\n', (size_t)(reader->end - start));
    n = (size_t)((newline ? newline : reader->end) - start);
    reader->at = newline ? newline + 1 : reader->end;
    reader->line++;
    if (memchr(start, '\0', n)) {
        refuse(reader, "a NUL byte: this is not a text file");
        reader->at = reader->end; /* one such error is enough */
        n = 0;
    }
    while (n > 0 && isspace((unsigned char)start[n - 1]))
        n--;
    while (n > 0 && isspace((unsigned char)*start))
        start++, n--;
    assert(size > KEY_BYTES_MAX + 1 && size > SECTION_BYTES_MAX + 2);
    give_line(reader, out, start, n);
    return out;
}

/* `key` is NULL if it is not known. */
static void give_hints(const struct reader *reader, const struct config_place *place, const struct config_key *key, const char *value)
{
    struct config_hints_value hints = {
        .key = key, .text = value, .comment = reader->comment, .comment_bytes = reader->comment_bytes};

    if (hints.key && *value)
        config_hints_give(reader->files->errors, place, &hints);
}

/* Handler for inih. It is called for the line that next_line() returned last. */
static int take_key(void *user, const char *section_text, const char *name, const char *nothing)
{
    struct reader *reader = user;
    struct config_files *files = reader->files;
    struct config_raw_section *section = reader->section;
    struct config_place place = {reader->source, reader->line};
    const struct config_key *known;
    struct config_raw_key *key;
    char value[CONFIG_LINE_BYTES_MAX + 1];
    (void)section_text; /* truncated and not trimmed; `section` has the complete name */
    (void)nothing;

    memcpy(value, reader->value, reader->value_bytes);
    value[reader->value_bytes] = '\0';
    key = config_arena_alloc(files->arena, sizeof(*key));
    if (!key)
        return 1;
    key->name = config_arena_copy(files->arena, name, strlen(name));
    known = config_key_find(section->kind, name);
    key->value = config_expand(files, &place, known, value);
    key->place = place;
    if (!key->name)
        return 1;
    key->refused = !key->value;
    give_hints(reader, &place, known, value);
    if (!key->value)
        key->value = "";
    if (section->last_key)
        section->last_key->next = key;
    else
        section->keys = key;
    section->last_key = key;
    if (!key->refused && section->kind == CONFIG_IN_GLOBAL && strcmp(name, "include") == 0)
        config_include(files, &place, key->value);
    return 1;
}

void config_parse_text(struct config_files *files, const struct config_source *source, const char *text, size_t bytes)
{
    struct reader reader = {.files = files, .source = source, .at = text, .end = text + bytes};
    int result;

    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        reader.at += 3;
    result = ini_parse_stream(next_line, &reader, take_key, &reader);
    if (result > 0) { /* the checks above accepted a line that inih refuses; inih counts lines as we do */
        reader.line = (unsigned)result;
        refuse(&reader, "not understood");
    } else if (result < 0) {
        files->arena->failed = true;
    }
}
