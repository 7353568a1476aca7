/* config/include.h: shared by the two halves of the reader: config/file.c (lines) and config/include.c (files, escapes). Within src/config. */
#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include "config/file.h"
#include "config/keys.h"

struct config_open_file;

/* State while a file and everything that it includes is read. */
struct config_files {
    struct config_raw *raw;
    struct config_arena *arena;
    struct config_errors *errors;
    struct config_open_file *seen; /* all files read so far, newest first */
    unsigned depth;                /* of the present file */
    unsigned count;                /* number of files opened */
    bool from_memory;              /* includes are refused */
};

/* Characters that a backslash escapes: all those that a rule of config/hints.c looks for. Besides, \s is a blank and \t a tab, which a value cannot begin or
 * end with otherwise. */
#define CONFIG_ESCAPED ";#$\"'`=/{~\\"

/* Returns the value with escapes and ${NAME} resolved, in the arena. Returns NULL if it is refused and reported, or if memory runs out. `key` is NULL if it is
 * not known. The escapes of a PAYLOAD are not resolved, because base/payload.h has more of them. */
const char *config_expand(struct config_files *files, const struct config_place *place, const struct config_key *key, const char *value);

/* Reads the file, or all files that match the pattern, in alphabetical order. */
void config_include(struct config_files *files, const struct config_place *place, const char *pattern);

/* Parses one text into files->raw. */
void config_parse_text(struct config_files *files, const struct config_source *source, const char *text, size_t bytes);

#endif
