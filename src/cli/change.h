/* cli/change.h: changes options of a backend for the subcommands drain, ready, maint, weight and limit. Main thread. */
#ifndef CLI_CHANGE_H
#define CLI_CHANGE_H

#include <jansson.h>

#include "cli/find.h"
#include "cli/remote.h"

/* Finds the backend by name and sends it `options`, the body of PATCH, which it takes over; NULL: out of memory. Fills `found`. Prints nothing but errors.
 * Returns 0 and sets `*answer`, which the caller owns, or returns the exit status after a message. */
int change_backend(struct remote *remote, const char *name, json_t *options, struct find_backend *found, json_t **answer);

/* Prints the answer to a change: "POOL/BACKEND: state = drain", or JSON. Returns the exit status. */
int change_print(const struct remote *remote, const json_t *answer);

#endif
