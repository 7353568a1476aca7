/* admin/api_body.h: the JSON body of a request as a change. Pure functions; any thread, in practice the admin thread.
 *
 * A member that is unknown, is given twice, or has the wrong type makes the whole body wrong, because an operator who mistypes a name must not believe that
 * something has changed. */
#ifndef ADMIN_API_BODY_H
#define ADMIN_API_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/edit.h"
#include "log/log.h"

enum { API_BODY_ERROR_BYTES = 256, API_BODY_NUMBERS = 4, API_BODY_NUMBER_BYTES = 24 };

/* A change, with the memory that its strings lie in. */
struct api_body {
    struct config_edit edit;   /* `pool` is not set; for CONFIG_EDIT_SET, neither is `backend` */
    json_t *json;              /* owned */
    char numbers[API_BODY_NUMBERS][API_BODY_NUMBER_BYTES]; /* numbers as text */
    size_t number_count;
};

/* Reads the body of POST (CONFIG_EDIT_ADD) or PATCH (CONFIG_EDIT_SET). Values are checked only for their type: config_edit() checks the rest, by the rules of a
 * configuration file. null stands for the default. On success returns true, and the caller frees `body` with api_body_clear(). Otherwise returns false after
 * writing one sentence to `error`, which has API_BODY_ERROR_BYTES. */
bool api_body_edit(struct api_body *body, enum config_edit_kind kind, const char *text, size_t bytes, char *error);
/* Safe on all zero and twice. */
void api_body_clear(struct api_body *body);

/* Reads the body of PUT /v1/log-level. */
bool api_body_log_level(enum log_level *level, const char *text, size_t bytes, char *error);

/* Writes the options that the change sets as "state = drain, weight = 2" to `text`, cut to `size`, and returns it. */
const char *api_body_describe(const struct config_edit *edit, char *text, size_t size);

/* Returns the same as a JSON object, or NULL if out of memory. */
json_t *api_body_json(const struct config_edit *edit);

#endif
