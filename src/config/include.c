/* config/include.c: opens configuration files, follows `include`, resolves escapes and ${NAME}. Thread that loads the configuration. */
#include "config/include.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/contents.h"
#include "config/pattern.h"

/* More than any key allows. It bounds a line that names the same long variable a thousand times. */
#define VALUE_BYTES_MAX 65536

/* A file that is being read or was read. A file may be read only once, because every name in it would be repeated. */
struct config_open_file {
    struct config_open_file *next;
    struct config_source source;
    struct config_place included; /* place of the include; source is NULL for the first file */
    dev_t device;
    ino_t inode;
    bool open;                    /* being read: an include of it is a cycle */
};

static bool already_seen(struct config_files *files, const struct config_open_file *file, const struct config_place *place)
{
    for (const struct config_open_file *f = files->seen; f; f = f->next) {
        if (f->device != file->device || f->inode != file->inode)
            continue;
        if (f->open)
            config_errors_add(files->errors, place, "include \"%s\": the file includes itself", file->source.file);
        else
            config_errors_add(files->errors, place, "include \"%s\": already included at %s:%u", file->source.file,
                              f->included.source->file, f->included.line);
        return true;
    }
    return false;
}

/* How and where a file is included. `place` is NULL for the first file. */
struct inclusion {
    const struct config_place *place;
    bool by_pattern;
};

static void report_unread(struct config_files *files, const struct config_source *source, const struct config_place *place, const char *problem)
{
    if (place)
        config_errors_add(files->errors, place, "include \"%s\": %s", source->file, problem);
    else
        config_errors_add(files->errors, &(struct config_place){source, 0}, "cannot be read: %s%s", problem,
                          strcmp(problem, strerror(ENOENT)) == 0 ? " (another file is named with -c FILE)" : "");
}

/* Reads and parses one file. Returns false after reporting that it cannot be read. */
static bool read_file(struct config_files *files, const char *path, const struct inclusion *from)
{
    struct config_open_file *file = config_arena_alloc(files->arena, sizeof(*file));
    const char *problem = NULL;
    struct stat status;
    char *text = NULL;
    ssize_t bytes = 0;
    int fd;

    if (!file)
        return false;
    file->source = (struct config_source){.file = path, .order = files->count++};
    fd = config_contents_open(path, from->by_pattern, &status, &problem); /* a file matched by a pattern must be regular */
    if (fd >= 0 && S_ISREG(status.st_mode)) {
        file->device = status.st_dev;
        file->inode = status.st_ino;
        if (already_seen(files, file, from->place)) {
            close(fd);
            return false;
        }
    }
    if (fd >= 0) {
        bytes = config_contents_read(fd, &status, &text, &problem);
        close(fd);
    }
    if (problem) {
        report_unread(files, &file->source, from->place, problem);
        return false;
    }
    if (bytes == 0 && !from->place)
        config_errors_add(files->errors, &(struct config_place){&file->source, 0}, "is empty");
    if (from->place)
        file->included = *from->place;
    file->next = files->seen;
    files->seen = file;
    file->open = true;
    config_parse_text(files, &file->source, text, (size_t)bytes);
    file->open = false;
    free(text);
    return bytes > 0 || from->place;
}

/* Returns the path relative to the directory of the including file. With `pattern`, escapes wildcards in the name of that directory. */
static char *resolve_path(struct config_files *files, const struct config_source *from, const char *path, bool pattern)
{
    const char *slash = strrchr(from->file, '/');
    size_t folder_bytes = *path == '/' || !slash ? 0 : (size_t)(slash - from->file) + 1;
    char *resolved = config_arena_alloc(files->arena, 2 * folder_bytes + strlen(path) + 1);
    size_t n = 0;

    if (!resolved)
        return NULL;
    for (size_t i = 0; i < folder_bytes; i++) {
        if (pattern && strchr("*?[\\", from->file[i]))
            resolved[n++] = '\\';
        resolved[n++] = from->file[i];
    }
    memcpy(resolved + n, path, strlen(path));
    return resolved;
}

/* Accepts an empty directory of snippets, but not one that does not exist or cannot be read. */
static void include_matches(struct config_files *files, const struct config_place *place, const char *pattern)
{
    char *resolved = resolve_path(files, place->source, pattern, true);
    struct config_matches matches = {.unread_path = ""};
    int result;

    if (!resolved)
        return;
    result = config_pattern_match(resolved, &matches);
    if (result == -ENOMEM)
        files->arena->failed = true;
    else if (result == -ENOENT)
        config_errors_add(files->errors, place, "include \"%s\": no such folder", pattern);
    else if (result < 0)
        config_errors_add(files->errors, place, "include \"%s\": %s: %s", pattern, matches.unread_path, strerror(-result));
    for (size_t i = 0; i < matches.found.gl_pathc; i++) {
        const char *path = config_arena_copy(files->arena, matches.found.gl_pathv[i], strlen(matches.found.gl_pathv[i]));
        if (path)
            read_file(files, path, &(struct inclusion){.place = place, .by_pattern = true});
    }
    config_matches_free(&matches);
}

void config_include(struct config_files *files, const struct config_place *place, const char *pattern)
{
    if (files->from_memory) {
        config_errors_add(files->errors, place, "include is not possible in a text that is not a file");
        return;
    }
    if (files->depth == CONFIG_INCLUDE_DEPTH_MAX) {
        config_errors_add(files->errors, place, "include \"%s\": more than %d files deep", pattern, CONFIG_INCLUDE_DEPTH_MAX);
        return;
    }
    files->depth++;
    if (strpbrk(pattern, "*?[")) {
        include_matches(files, place, pattern);
    } else {
        const char *path = resolve_path(files, place->source, pattern, false);
        if (path)
            read_file(files, path, &(struct inclusion){.place = place});
    }
    files->depth--;
}

/* Returns the value of the variable at `*at`, which is just after "${", and moves `*at` past the "}". Returns NULL after reporting an error. */
static const char *take_variable(struct config_files *files, const struct config_place *place, const char **at)
{
    const char *start = *at, *value;
    char name[128];
    size_t n = 0;

    while (isalnum((unsigned char)start[n]) || start[n] == '_')
        n++;
    if (n > 0 && start[n] && strchr(":-=", start[n])) { /* a default as in a shell: ${NAME:-text} */
        config_errors_add(files->errors, place, "defaults are not supported: write ${%.*s} and set %.*s", (int)n, start, (int)n, start);
        return NULL;
    }
    if (start[n] != '}' || n == 0 || n >= sizeof(name)) {
        config_errors_add(files->errors, place, "\"${\" without NAME and \"}\" (write \\${ for the characters themselves)");
        return NULL;
    }
    memcpy(name, start, n);
    name[n] = '\0';
    *at = start + n + 1;
    value = getenv(name);
    if (!value) {
        config_errors_add(files->errors, place, "${%s} is not set in the environment", name);
        return NULL;
    }
    for (const char *c = value; *c; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) {
            config_errors_add(files->errors, place, "${%s} holds the control character 0x%02x", name, (unsigned char)*c);
            return NULL;
        }
    }
    return value;
}

/* Returns the character that a backslash and `letter` stand for, or NULL. */
static const char *find_escaped(char letter)
{
    if (letter == 's')
        return " ";
    return letter == 't' ? "\t" : strchr(CONFIG_ESCAPED, letter);
}

struct expansion {
    struct config_files *files;
    const struct config_place *place;
    bool keeps_escapes;
};

/* Resolves escapes and ${} in one pass: the value of a variable is inserted unchanged, including any escapes and ${} in it. Only counts the bytes if `out` is
 * NULL. Returns false if the value is refused. */
static bool expand_value(const struct expansion *expansion, const char *in, char *out, size_t *bytes)
{
    struct config_files *files = expansion->files;
    const struct config_place *place = expansion->place;
    size_t n = 0;
    while (*in) {
        const char *piece = in;
        size_t piece_bytes = 1;
        if (*in == '\\') {
            if (in[1] == '\0') {
                config_errors_add(files->errors, place, "a \"\\\" at the end: lines are not continued; leave it out, or write \\\\ if it is meant");
                return false;
            }
            piece = expansion->keeps_escapes ? in : find_escaped(in[1]);
            piece_bytes = expansion->keeps_escapes ? 2 : 1;
            if (!piece) {
                config_errors_add(files->errors, place,
                                  "\"\\%.1s\" is not an escape; there are \\; \\# \\$ \\\" \\' \\` \\= \\/ \\{ \\~ \\\\, and \\s and \\t for a blank and a tab",
                                  in + 1);
                return false;
            }
            in += 2;
        } else if (in[0] == '$' && in[1] == '{') {
            in += 2;
            piece = take_variable(files, place, &in);
            if (!piece)
                return false;
            piece_bytes = strlen(piece);
        } else {
            in++;
        }
        if (out)
            memcpy(out + n, piece, piece_bytes);
        n += piece_bytes;
        if (n > VALUE_BYTES_MAX) {
            config_errors_add(files->errors, place, "the value is longer than %d bytes", VALUE_BYTES_MAX);
            return false;
        }
    }
    *bytes = n;
    return true;
}

const char *config_expand(struct config_files *files, const struct config_place *place, const struct config_key *key, const char *value)
{
    const struct expansion expansion = {.files = files, .place = place, .keeps_escapes = key && config_key_keeps_escapes(key)};
    size_t bytes;
    char *out;

    if (!expand_value(&expansion, value, NULL, &bytes))
        return NULL;
    if (bytes == 0) {
        if (*value)
            config_errors_add(files->errors, place, "the value is empty: %s is set to nothing", value);
        else
            config_errors_add(files->errors, place, "no value after the \"=\"");
        return NULL;
    }
    out = config_arena_alloc(files->arena, bytes + 1);
    if (out)
        expand_value(&expansion, value, out, &bytes);
    return out;
}

bool config_file_read(struct config_raw *raw, const struct config_input *input, struct config_arena *arena,
                      struct config_errors *errors)
{
    struct config_files files = {.raw = raw, .arena = arena, .errors = errors, .from_memory = input->text != NULL};
    struct config_source *source;
    const char *name = config_arena_copy(arena, input->name, strlen(input->name));

    if (!name)
        return false;
    if (!files.from_memory)
        return read_file(&files, name, &(struct inclusion){.place = NULL});
    source = config_arena_alloc(arena, sizeof(*source));
    if (!source)
        return false;
    source->file = name;
    if (input->bytes == 0)
        config_errors_add(errors, &(struct config_place){source, 0}, "is empty");
    else
        config_parse_text(&files, source, input->text, input->bytes);
    return input->bytes > 0;
}
