/* cli/find.h: finds what an operator names, in the answer to GET /v1/pools. Main thread. */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <jansson.h>
#include <stdint.h>

#include "cli/remote.h"

enum find_result {
    FIND_DONE,
    FIND_NO_POOL,    /* there is no such pool */
    FIND_NO_BACKEND, /* the pool is there, and has no such backend */
    FIND_AMBIGUOUS,  /* a backend without its pool: none or several pools have one with this name */
};

enum { FIND_NAME_BYTES = 64, FIND_ERROR_BYTES = 400 };

/* What was found, or is missing. */
struct find_backend {
    char pool[FIND_NAME_BYTES], backend[FIND_NAME_BYTES]; /* the pool is set with FIND_DONE and FIND_NO_BACKEND */
    char error[FIND_ERROR_BYTES]; /* one sentence that says what there is instead, unless FIND_DONE */
};

/* The backends of one name in a pool, taken together: one that was removed and one that was added again can be there at the same time. */
struct find_sum {
    unsigned count;       /* 0: there is none any more */
    uint64_t sessions;    /* open sessions and flows */
    unsigned ordered_out; /* number of those that the administrator or their removal keeps from new sessions */
    unsigned idle;        /* number of those that are ordered out or down, and take no new sessions */
    const char *state;    /* of the first that is not idle, otherwise of the first; borrowed from the answer */
};

/* `name` is POOL/BACKEND, or a backend alone if only one pool has it. Pure. */
enum find_result find_in(const json_t *answer, const char *name, struct find_backend *found);

/* Asks for the pools and finds the backend in them. Returns 0, or the exit status after a message. */
int find_by_name(struct remote *remote, const char *name, struct find_backend *found);

/* Asks for one pool, or with NULL for all, and sets `*answer`, which the caller owns. Returns 0, or the exit status after a message, which suggests a pool if
 * there is none of this name. */
int find_pools(struct remote *remote, const char *pool, json_t **answer);

/* Sums up the backends with this name. Pure. */
struct find_sum find_sum(const json_t *answer, const struct find_backend *found);

#endif
