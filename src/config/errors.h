/* config/errors.h: adding to the errors and warnings of config/config.h, within src/config. One thread at a time. */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "config/config.h"

/* A file that is being read. */
struct config_source {
    const char *file;
    unsigned order; /* 0 for the first file opened, 1 for the next */
};

/* Where something was written. */
struct config_place {
    const struct config_source *source;
    unsigned line; /* from 1; 0: the file as a whole */
};

/* Adds "file:line: message" ("file: message" for line 0). Control characters of the message, and bytes that are not UTF-8, become "?", and the
 * middle of a very long one is left out. When memory runs out the message is lost and one that says so takes its place. */
void config_errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what is allowed, but probably not intended: "file:line: warning: message". */
void config_errors_warn(struct config_errors *errors, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts errors and warnings in the order of the files and their lines; those of one line stay as they came. The first 50 of either are kept. To be called when
 * all are there. */
void config_errors_sort(struct config_errors *errors);

#endif
