/* control/links.c: the functions that the admin thread calls. They run in that thread. Owns nothing. */
#include "control/links.h"

#include <errno.h>

#include "base/clock.h"
#include "control/change.h"
#include "health/health.h"
#include "worker/worker.h"

/* A worker that is later than this misses only the latest bytes. */
#define FLUSH_NS UINT64_C(200000000)

static int take_report(void *context, struct report **report)
{
    const struct links *links = context;

    worker_flush(links->shared, clock_now_ns() + FLUSH_NS);
    return health_report(links->health, clock_now_ns() + ADMIN_WAIT_NS, report);
}

static int change_config(void *context, const struct config_edit *edit, char *error, size_t error_bytes)
{
    const struct links *links = context;

    return changes_ask(links->changes, edit, clock_now_ns() + ADMIN_WAIT_NS, error, error_bytes);
}

static int read_config(void *context, char **text, uint64_t *hash)
{
    const struct links *links = context;

    return changes_text(links->changes, clock_now_ns() + ADMIN_WAIT_NS, text, hash);
}

static int survey_all(void *context, const struct survey_query *query, struct survey *found)
{
    const struct links *links = context;

    return worker_survey(links->shared, query, SURVEY_LIST, clock_now_ns() + ADMIN_WAIT_NS, found);
}

/* What a late worker closes is not known. */
static int close_all(void *context, const struct survey_query *query, uint64_t *closed)
{
    const struct links *links = context;
    struct survey done;
    int result = worker_survey(links->shared, query, SURVEY_CLOSE, clock_now_ns() + ADMIN_WAIT_NS, &done);

    *closed = done.closed;
    if (result == 0 && done.late > 0)
        result = -ETIMEDOUT;
    survey_free(&done);
    return result;
}

static int set_log_level(void *context, enum log_level level)
{
    (void)context;
    log_set_level(level);
    return 0;
}

void links_make(struct admin_links *links, struct links *context)
{
    *links = (struct admin_links){
        .context = context,
        .report = take_report,
        .change = change_config,
        .configuration = read_config,
        .survey = survey_all,
        .close = close_all,
        .log_level = set_log_level,
    };
}
