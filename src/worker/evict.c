/* worker/evict.c: closes the sessions of backends that are to have none. Worker thread; owns nothing. */
#include "worker/evict.h"

#include <errno.h>

#include "table/backend.h"
#include "table/pool.h"
#include "table/rate.h"
#include "worker/context.h"
#include "worker/reconnect.h"
#include "worker/session.h"

enum { CLOSED_MAX = 32 }; /* number of sessions closed in one slice */
#define BURST_NS ((uint64_t)100000000) /* of close_rate: a tenth of a second, so that it is reached although slices come only every 10 ms */

static const enum session_end ends[EVICTION_REASONS] = {
    [EVICTION_DOWN] = END_BACKEND_DOWN,
    [EVICTION_DRAINED] = END_BACKEND_DRAINED,
    [EVICTION_FAILBACK] = END_FAILBACK,
};

static bool may_close(const struct worker *worker, struct pool *pool)
{
    uint32_t per_second = pool_settings(pool)->close_rate;

    return per_second == 0 || rate_take(&pool->evictions, worker->io->now_ns, per_second, BURST_NS);
}

/* Returns whether the session was closed, or moves to another backend, which a client that waits for its answer does not notice. One that is connecting is left
 * alone: if its backend is down, it tries another one. */
static bool visit_session(struct worker *worker, struct session *session)
{
    struct backend *backend = session->state == SESSION_RELAYING ? session->lease.backend : NULL;
    enum backend_eviction eviction = backend ? backend_eviction(backend) : EVICTION_NONE;

    if (eviction == EVICTION_NONE)
        return false;
    if (!may_close(worker, backend->pool)) {
        evict_begin(worker); /* all are visited once more */
        return false;
    }
    if (!reconnect_start(session, ends[eviction], ECONNABORTED)) {
        backend_note_evicted(backend);
        session_give_up(session, ends[eviction]);
    }
    return true;
}

static uint32_t visit_link(struct walk *walk, struct list *link)
{
    return visit_session(walk->worker, container_of(link, struct session, link));
}

static const struct walk_kind evictions = {.slice_ms = 10, .visited_max = 256, .cost_max = CLOSED_MAX, .visit = visit_link};

void evict_init(struct worker *worker)
{
    walk_init(&worker->evictions, worker, &evictions);
}

void evict_begin(struct worker *worker)
{
    walk_begin(&worker->evictions, &worker->sessions, worker->sessions_slab.used);
}
