/* config/errors.h: adds to the errors and warnings of config/config.h. Within src/config; one thread at a time. */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "config/config.h"

/* A file that is being read. */
struct config_source {
    const char *file; /* NULL: what is built was changed while Penstock runs (config/edit.h) */
    unsigned order; /* 0 for the first file opened, 1 for the next */
};

/* A place in a configuration file. */
struct config_place {
    const struct config_source *source;
    unsigned line; /* from 1; 0: the file as a whole */
};

/* Adds "file:line: message" ("file: message" for line 0, "message" without a file). Control characters of the message, and bytes that are not UTF-8, become
 * "?". The middle of a very long message is left out. If memory runs out, the message is replaced by one that says so. */
void config_errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a warning in the same way, for a value that is allowed but probably not intended: "file:line: warning: message". */
void config_errors_warn(struct config_errors *errors, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts errors and warnings by file and line; those of one line keep their order. Keeps the first 50 of each. Call it after all were added. */
void config_errors_sort(struct config_errors *errors);

#endif
