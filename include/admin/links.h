/* admin/links.h: what the admin thread may ask of the rest of the process. Control fills it in (control/links.h). */
#ifndef ADMIN_LINKS_H
#define ADMIN_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "log/log.h"

struct config_edit;
struct report;
struct survey;
struct survey_query;

/* Maximum time that one of the functions waits for another thread to take the request. */
#define ADMIN_WAIT_NS UINT64_C(3000000000)

/* Size of the longest text that change() writes, including the terminating zero. */
#define ADMIN_ERROR_BYTES 1024

/* Functions are called in the admin thread, one at a time. A pointer is NULL if this process cannot do it. All return 0, or a negative errno as each says. With
 * -ETIMEDOUT, unless the function says otherwise, no thread took the request within ADMIN_WAIT_NS, nothing has changed, and nothing will. */
struct admin_links {
    void *context; /* first argument of each function */

    /* Sets `*report`, which the caller frees with report_free(). -ETIMEDOUT, -ENOMEM; -ECANCELED: the process ends. */
    int (*report)(void *context, struct report **report);

    /* Changes the configuration in force, and what runs accordingly. -EINVAL, -ENOENT, -EEXIST or -EBUSY: refused; -ENOMEM, -ETIMEDOUT: failed. Then nothing
     * has changed, and `error` has one line that says why, without a newline. `edit` is read only during the call. */
    int (*change)(void *context, const struct config_edit *edit, char *error, size_t error_bytes);

    /* Sets `*text` to the configuration in force as the text of a configuration file, which the caller frees, and `*hash` to 64 bits of a hash of that text.
     * `text` may be NULL: only the hash is wanted. -ETIMEDOUT, -ENOMEM. */
    int (*configuration)(void *context, char **text, uint64_t *hash);

    /* Lists sessions or flows. Fills `found`, which the caller frees with survey_free(); found->late workers have not answered within ADMIN_WAIT_NS, and their
     * part is missing. -EBUSY: a worker has too many queries at a time; -ENOMEM. */
    int (*survey)(void *context, const struct survey_query *query, struct survey *found);

    /* Closes the sessions or flows that the query describes. Sets `*closed` to their number. -ETIMEDOUT: a worker has not answered within ADMIN_WAIT_NS; it
     * closes its part, too, but `*closed` does not count that. -EBUSY, as for survey(): the other workers have closed their part. -ENOMEM. */
    int (*close)(void *context, const struct survey_query *query, uint64_t *closed);

    /* Logs lines of this level and the more severe ones from now on, until the process ends. Always 0. */
    int (*log_level)(void *context, enum log_level level);
};

#endif
