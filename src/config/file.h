/* config/file.h: reads configuration files into raw sections and keys, with file and line. Follows includes, but does not interpret values.
 *
 * Blocks on file reads. One thread at a time. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/arena.h"
#include "config/errors.h"
#include "config/index.h"

/* Kinds of section, as bits. */
enum config_section {
    CONFIG_IN_GLOBAL = 1,
    CONFIG_IN_DEFAULTS = 2,
    CONFIG_IN_LISTENER = 4,
    CONFIG_IN_POOL = 8,
};

/* Maximum depth of includes. The first file has depth 0. */
#define CONFIG_INCLUDE_DEPTH_MAX 8
/* Largest file that is read. */
#define CONFIG_FILE_BYTES_MAX (16u << 20)
/* Longest line, without comments. The longest value is a path of 4095 bytes, an escape takes two bytes in the file, and the key comes before it. */
#define CONFIG_LINE_BYTES_MAX 8300

struct config_raw_key {
    struct config_raw_key *next;
    const char *name;
    const char *value; /* blanks trimmed, comment removed, escapes and ${NAME} resolved; not empty */
    struct config_place place;
    bool refused;      /* already reported: config_build() skips it */
};

struct config_raw_section {
    struct config_raw_section *next;
    enum config_section kind;
    const char *name;  /* "" for [global] and [defaults] */
    struct config_place place;
    struct config_raw_key *keys, *last_key; /* in the order of the file */
    size_t position;   /* index among the sections of its kind */
};

/* Starts as all zero, except `is_file`. Everything it points to is in the arena. */
struct config_raw {
    struct config_raw_section *sections, *last_section;
    struct config_index listeners, pools; /* sections by name */
    size_t listener_count, pool_count;
    bool is_file;      /* read from a file, not from a text in memory: the files that it names are checked too */
};

/* What to read: a file, or a text in memory with a name. With a text, `include` is refused. */
struct config_input {
    const char *name;
    const char *text; /* NULL: the file `name` */
    size_t bytes;
};

/* Fills `raw` and adds every error to `errors`. Returns false if the first file is empty or cannot be read. */
bool config_file_read(struct config_raw *raw, const struct config_input *input, struct config_arena *arena,
                      struct config_errors *errors);

/* Whether `text` is a valid name of a listener, a pool or a backend: 1 to 63 letters, digits, "_", "-", ".". */
bool config_is_name(const char *text);

/* Returns the name of a kind of section, as written in a file. */
const char *config_section_name(enum config_section kind);

#endif
