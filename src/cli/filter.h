/* cli/filter.h: the options with which `penstock sessions` and `penstock kill` choose sessions. Main thread. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include <stdbool.h>

#include "cli/remote.h"

/* Values of the options; NULL: not given. */
struct filter {
    const char *listener, *pool, *backend, *client, *older;
};

/* The rows of these options (cli/options.h). */
#define FILTER_ROWS(filter) \
    {0, "listener", "NAME", &(filter)->listener, NULL}, {0, "pool", "NAME", &(filter)->pool, NULL}, {0, "backend", "NAME", &(filter)->backend, NULL}, \
        {0, "client", "ADDRESS", &(filter)->client, NULL}, {0, "older", "TIME", &(filter)->older, NULL}

/* The part of a --help text that explains them. */
#define FILTER_HELP "  --listener NAME     of this listener\n" \
                    "  --pool NAME         of this pool\n" \
                    "  --backend NAME      of this backend: POOL/BACKEND, or BACKEND if only one pool has it\n" \
                    "  --client ADDRESS    of this client: 10.1.2.3, 10.1.2.3:4567 or a network such as 10.0.0.0/8\n" \
                    "  --older TIME        that began at least TIME ago, such as 5m\n"

bool filter_is_empty(const struct filter *filter);

/* Adds the filter to the query of `*path`, which may be NULL, after finding the backend. Returns 0, or the exit status after a message. */
int filter_add(struct remote *remote, const struct filter *filter, char **path);

#endif
