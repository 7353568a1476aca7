/* config/include.h: what the two halves of reading share: config/file.c (lines) and config/include.c (files, escapes).
 * Within src/config. */
#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include "config/file.h"

struct config_open_file;

/* One run over a file and all that it includes. */
struct config_files {
    struct config_raw *raw;
    struct config_arena *arena;
    struct config_errors *errors;
    struct config_open_file *seen; /* every file read so far, newest first */
    unsigned depth;                /* of the file being read */
    unsigned count;                /* of files opened */
    bool from_memory;              /* includes are refused */
};

/* What stands for itself after a backslash: whatever a rule of config/hints.c looks for. */
#define CONFIG_ESCAPED ";#$\"'`=/{~\\"

/* The value with escapes and ${NAME} resolved, in the arena. NULL: refused (reported) or out of memory. */
const char *config_expand(struct config_files *files, const struct config_place *place, const char *value);

/* Reads the file, or the files that match the pattern, in alphabetical order. */
void config_include(struct config_files *files, const struct config_place *place, const char *pattern);

/* Parses one text into files->raw. */
void config_parse_text(struct config_files *files, const struct config_source *source, const char *text, size_t bytes);

#endif
