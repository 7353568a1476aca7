/* config/edit.c: changes a configuration: copies what its files said, except the line of one backend, and builds a configuration from it. Any thread; the new
 * configuration owns the copy. */
#include "config/edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

#define BLANKS " \t"

/* An option on the line of a backend. */
static const struct {
    const char *name;
    size_t offset;       /* of its value in struct config_edit */
    const char *initial; /* its default, which needs not be written; NULL: none */
} options[] = {
    {"weight", offsetof(struct config_edit, weight), "1"},
    {"max_connections", offsetof(struct config_edit, max_connections), "off"},
    {"check_port", offsetof(struct config_edit, check_port), NULL},
    {"agent_port", offsetof(struct config_edit, agent_port), NULL},
    {"drain_timeout", offsetof(struct config_edit, drain_timeout), NULL},
    {"state", offsetof(struct config_edit, state), "ready"},
    {"backup", offsetof(struct config_edit, backup), "no"},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* A source in the old configuration, and its copy. */
struct source_pair {
    struct source_pair *next;
    const struct config_source *old;
    struct config_source *copy;
};

/* A change that is being made. */
struct change {
    const struct config_edit *edit;
    const struct config_raw *old;
    struct config_raw *raw;     /* the new one */
    struct config_arena *arena; /* of the new one */
    struct source_pair *sources;
    const struct config_raw_section *pool; /* what is changed, in the old configuration */
    const struct config_raw_key *backend;  /* NULL: it is new */
    int result;
    char *error;
    size_t error_bytes;
};

/* Always returns false, for `return refuse_change(...)`. */
static bool __attribute__((format(printf, 3, 4))) refuse_change(struct change *change, int result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(change->error, change->error_bytes, format, arguments);
    va_end(arguments);
    change->result = result;
    return false;
}

/* ---- what the operator wants ---- */

static const char *given_value(const struct config_edit *edit, size_t option)
{
    const char *value;

    memcpy(&value, (const char *)edit + options[option].offset, sizeof(value));
    return value;
}

/* A blank would begin another option, and a line feed another line of the text that is saved. */
static bool is_one_word(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static bool check_words(struct change *change)
{
    const struct config_edit *edit = change->edit;

    if (!config_is_name(edit->pool) || !config_is_name(edit->backend))
        return refuse_change(change, -EINVAL, "names of pools and backends are 1 to 63 letters, digits, \"_\", \"-\" and \".\"");
    if (edit->kind == CONFIG_EDIT_ADD && (!edit->address || !*edit->address))
        return refuse_change(change, -EINVAL, "backend %s: a new backend needs an address", edit->backend);
    if (edit->address && !is_one_word(edit->address))
        return refuse_change(change, -EINVAL, "backend %s: the address contains a blank or a control character", edit->backend);
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *value = given_value(edit, i);
        if (value && !is_one_word(value))
            return refuse_change(change, -EINVAL, "backend %s: %s contains a blank or a control character", edit->backend, options[i].name);
    }
    if (edit->backup && *edit->backup && strcmp(edit->backup, "yes") != 0 && strcmp(edit->backup, "no") != 0)
        return refuse_change(change, -EINVAL, "backend %s: backup is yes or no", edit->backend);
    return true;
}

/* Returns the length of the first word, and sets `*word` to it. */
static size_t first_word(const char *text, const char **word)
{
    *word = text + strspn(text, BLANKS);
    return strcspn(*word, BLANKS);
}

static bool is_backend(const struct config_raw_key *key)
{
    return strcmp(key->name, "backend") == 0;
}

/* Finds the section of the pool and the line of the backend. */
static bool find_line(struct change *change)
{
    const struct config_edit *edit = change->edit;
    size_t count = 0, n;
    const char *name;

    change->pool = config_index_find(&change->old->pools, edit->pool);
    if (!change->pool)
        return refuse_change(change, -ENOENT, "there is no pool %s", edit->pool);
    for (const struct config_raw_key *key = change->pool->keys; key; key = key->next) {
        if (!is_backend(key))
            continue;
        count++;
        n = first_word(key->value, &name);
        if (n == strlen(edit->backend) && strncmp(name, edit->backend, n) == 0)
            change->backend = key;
    }
    if (edit->kind == CONFIG_EDIT_ADD && change->backend)
        return refuse_change(change, -EEXIST, "pool %s has a backend %s already", edit->pool, edit->backend);
    if (edit->kind != CONFIG_EDIT_ADD && !change->backend)
        return refuse_change(change, -ENOENT, "pool %s has no backend %s", edit->pool, edit->backend);
    if (edit->kind == CONFIG_EDIT_REMOVE && count == 1)
        return refuse_change(change, -EBUSY, "backend %s is the only one of pool %s, which needs one: add another one first, or let this one drain",
                      edit->backend, edit->pool);
    return true;
}

/* ---- the new line ---- */

/* Whether the option at `word` is given a new value. */
static bool is_replaced(const struct config_edit *edit, const char *word, size_t n)
{
    const char *equals = memchr(word, '=', n);
    size_t bytes = equals ? (size_t)(equals - word) : n;

    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) == bytes && strncmp(options[i].name, word, bytes) == 0)
            return given_value(edit, i);
    }
    return false;
}

/* Writes the words of the old line that stay. */
static void write_kept(FILE *out, const struct change *change)
{
    const char *word;

    for (size_t n = first_word(change->backend->value, &word), i = 0; n > 0; n = first_word(word + n, &word), i++) {
        if (i < 2 || !is_replaced(change->edit, word, n))
            (void)fprintf(out, "%s%.*s", i > 0 ? " " : "", (int)n, word);
    }
}

static void write_given(FILE *out, const struct config_edit *edit)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *value = given_value(edit, i);
        bool is_default = value && (*value == '\0' || (options[i].initial && strcmp(value, options[i].initial) == 0));

        if (value && !is_default && strcmp(options[i].name, "backup") == 0)
            (void)fputs(" backup", out);
        else if (value && !is_default)
            (void)fprintf(out, " %s=%s", options[i].name, value);
    }
}

/* Returns the new value of the backend's key, in the arena. */
static const char *make_value(const struct change *change)
{
    const char *copy = NULL;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (out && change->backend)
        write_kept(out, change);
    else if (out)
        (void)fprintf(out, "%s %s", change->edit->backend, change->edit->address);
    if (out)
        write_given(out, change->edit);
    if (out && fclose(out) == 0)
        copy = config_arena_copy(change->arena, text, bytes);
    free(text);
    change->arena->failed |= !copy;
    return copy;
}

/* ---- the copy ---- */

static const struct config_source *copy_source(struct change *change, const struct config_source *old)
{
    struct source_pair *pair = change->sources;

    while (pair && pair->old != old)
        pair = pair->next;
    if (pair)
        return pair->copy;
    pair = config_arena_alloc(change->arena, sizeof(*pair));
    if (!pair)
        return NULL;
    *pair = (struct source_pair){.old = old, .copy = config_arena_alloc(change->arena, sizeof(*pair->copy)), .next = change->sources};
    if (!pair->copy)
        return NULL;
    pair->copy->order = old->order;
    pair->copy->file = old->file ? config_arena_copy(change->arena, old->file, strlen(old->file)) : NULL;
    change->sources = pair;
    return pair->copy;
}

static struct config_raw_key *append_key(struct change *change, struct config_raw_section *section, const char *name, const char *value)
{
    struct config_raw_key *key = config_arena_alloc(change->arena, sizeof(*key));

    if (!key)
        return NULL;
    *key = (struct config_raw_key){.name = name, .value = value};
    if (section->last_key)
        section->last_key->next = key;
    else
        section->keys = key;
    section->last_key = key;
    return key;
}

/* Appends the changed line, or the new one. Its source has no file, so that errors speak only of the change. */
static void append_changed(struct change *change, struct config_raw_section *section)
{
    const struct config_source *source = config_arena_alloc(change->arena, sizeof(*source));
    struct config_raw_key *key = append_key(change, section, "backend", make_value(change));

    if (key)
        key->place = (struct config_place){.source = source};
}

static void copy_key(struct change *change, struct config_raw_section *section, const struct config_raw_key *old)
{
    struct config_raw_key *key = append_key(change, section, config_arena_copy(change->arena, old->name, strlen(old->name)),
                                            config_arena_copy(change->arena, old->value, strlen(old->value)));

    if (key)
        key->place = (struct config_place){copy_source(change, old->place.source), old->place.line};
}

static void copy_section(struct change *change, const struct config_raw_section *old)
{
    struct config_raw *raw = change->raw;
    struct config_raw_section *section = config_arena_alloc(change->arena, sizeof(*section));

    if (!section)
        return;
    section->kind = old->kind;
    section->position = old->position;
    section->name = config_arena_copy(change->arena, old->name, strlen(old->name));
    section->place = (struct config_place){copy_source(change, old->place.source), old->place.line};
    for (const struct config_raw_key *key = old->keys; key; key = key->next) {
        if (key != change->backend)
            copy_key(change, section, key);
        else if (change->edit->kind == CONFIG_EDIT_SET)
            append_changed(change, section);
    }
    if (old == change->pool && change->edit->kind == CONFIG_EDIT_ADD)
        append_changed(change, section);
    if (section->name && (section->kind == CONFIG_IN_LISTENER || section->kind == CONFIG_IN_POOL))
        config_index_add(section->kind == CONFIG_IN_POOL ? &raw->pools : &raw->listeners, change->arena, section->name, section);
    if (raw->last_section)
        raw->last_section->next = section;
    else
        raw->sections = section;
    raw->last_section = section;
}

static void copy_raw(struct change *change)
{
    change->raw->listener_count = change->old->listener_count;
    change->raw->pool_count = change->old->pool_count;
    for (const struct config_raw_section *section = change->old->sections; section; section = section->next)
        copy_section(change, section);
}

static struct config *build_changed(struct change *change, struct config_errors *errors)
{
    struct config_loaded *loaded = calloc(1, sizeof(*loaded));
    const struct config_source no_file = {.file = NULL};
    struct config *config;

    if (!loaded)
        return refuse_change(change, -ENOMEM, "out of memory"), NULL;
    change->raw = &loaded->raw;
    change->arena = &loaded->arena;
    copy_raw(change);
    if (loaded->arena.failed) {
        config_free(&loaded->config);
        return refuse_change(change, -ENOMEM, "out of memory"), NULL;
    }
    config = config_loaded_build(loaded, &(struct config_place){.source = &no_file}, errors); /* which owns `loaded` now */
    if (!config)
        refuse_change(change, -EINVAL, "%s", config_errors_text(errors, 0));
    return config;
}

struct config *config_edit(const struct config *config, const struct config_edit *edit, int *result, char *error, size_t error_bytes)
{
    struct change change = {.edit = edit, .old = &config_loaded_of(config)->raw, .error = error, .error_bytes = error_bytes};
    struct config_errors *errors = config_errors_new();
    struct config *changed = NULL;

    if (!errors)
        refuse_change(&change, -ENOMEM, "out of memory");
    else if (check_words(&change) && find_line(&change))
        changed = build_changed(&change, errors);
    if (changed)
        changed->workers = config->workers; /* as many run */
    config_errors_free(errors);
    *result = change.result;
    return changed;
}

struct config_edit *config_edit_copy(const struct config_edit *edit)
{
    static const size_t strings[] = {
        offsetof(struct config_edit, pool), offsetof(struct config_edit, backend), offsetof(struct config_edit, address),
        offsetof(struct config_edit, weight), offsetof(struct config_edit, max_connections), offsetof(struct config_edit, check_port),
        offsetof(struct config_edit, agent_port), offsetof(struct config_edit, drain_timeout), offsetof(struct config_edit, state),
        offsetof(struct config_edit, backup),
    };
    size_t bytes = sizeof(*edit);
    const char *text;
    char *copy, *end;

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        memcpy(&text, (const char *)edit + strings[i], sizeof(text));
        bytes += text ? strlen(text) + 1 : 0;
    }
    copy = malloc(bytes);
    if (!copy)
        return NULL;
    memcpy(copy, edit, sizeof(*edit));
    end = copy + sizeof(*edit);
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        memcpy(&text, (const char *)edit + strings[i], sizeof(text));
        if (!text)
            continue;
        memcpy(copy + strings[i], &end, sizeof(end));
        end = stpcpy(end, text) + 1;
    }
    return (struct config_edit *)(void *)copy;
}
