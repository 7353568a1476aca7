/* config/edit.h: one change to a configuration, as an operator makes it while Penstock runs. Any thread. */
#ifndef CONFIG_EDIT_H
#define CONFIG_EDIT_H

#include <stddef.h>

#include "config/config.h"

enum config_edit_kind {
    CONFIG_EDIT_ADD,    /* a backend, behind the others of its pool */
    CONFIG_EDIT_REMOVE, /* a backend */
    CONFIG_EDIT_SET,    /* options of a backend */
};

/* The options are written as in a file. NULL: not given, so that the option stays as it is, or has its default in a new backend. "": the default again. */
struct config_edit {
    enum config_edit_kind kind;
    const char *pool, *backend;  /* names */
    const char *address;         /* ADD only */
    const char *weight;
    const char *max_connections; /* "off" or a number */
    const char *check_port, *agent_port;
    const char *drain_timeout;   /* "off" or a time such as "60s" */
    const char *state;           /* "ready", "drain" or "maint" */
    const char *backup;          /* "yes" or "no" */
};

/* Makes a new configuration, which the caller frees, by the same rules as for a file; `config` does not change. Files that the configuration names, such as
 * check_tls_ca, are not read again. `workers` keeps its value, also if it is auto. Takes about 40 ms for 10,000 backends. Sets `*result` to 0, or returns NULL
 * after setting it and `error`, one line without a newline:
 *
 *   -EINVAL   a value is wrong, or does not fit the rest of the configuration
 *   -ENOENT   there is no such pool, or no such backend in it
 *   -EEXIST   the pool has a backend with this name already
 *   -EBUSY    the backend is the only one of its pool
 *   -ENOMEM */
struct config *config_edit(const struct config *config, const struct config_edit *edit, int *result, char *error, size_t error_bytes);

/* Returns a copy in one block of memory, including the strings. The caller frees it with free(). Returns NULL if out of memory. */
struct config_edit *config_edit_copy(const struct config_edit *edit);

#endif
