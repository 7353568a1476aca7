/* worker/evict.c: closes the sessions of backends that are to have none. Worker thread; owns nothing. */
#include "worker/evict.h"

#include <errno.h>

#include "table/backend.h"
#include "table/pool.h"
#include "table/rate.h"
#include "worker/context.h"
#include "worker/reconnect.h"
#include "worker/session.h"

enum {
    SLICE_MS = 10,
    VISITED_MAX = 256, /* sessions visited in one slice */
    CLOSED_MAX = 32,   /* sessions closed in one slice */
};
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
        worker->evict.passed_over = true;
        return false;
    }
    if (!reconnect_start(session, ends[eviction], ECONNABORTED)) {
        backend_note_evicted(backend);
        session_give_up(session, ends[eviction]);
    }
    return true;
}

/* Each session moves to the end of the list when it is visited. So the next slice begins with the next session even if some have been freed, and when all have
 * been visited, the list is in the order of their ages again. */
static void visit_slice(struct worker *worker)
{
    struct evict *evict = &worker->evict;
    int closed = 0;

    for (int i = 0; i < VISITED_MAX && closed < CLOSED_MAX && evict->left > 0; i++, evict->left--) {
        struct list *link = worker->sessions.next;

        list_remove(link);
        list_append(&worker->sessions, link);
        closed += visit_session(worker, container_of(link, struct session, link));
    }
}

static void on_timer(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, evict.timer);
    struct evict *evict = &worker->evict;

    if (evict->left > worker->sessions_slab.used) /* some have ended since the last slice */
        evict->left = worker->sessions_slab.used;
    visit_slice(worker);
    if (evict->left == 0 && evict->passed_over) {
        evict->left = worker->sessions_slab.used;
        evict->passed_over = false;
    }
    if (evict->left > 0)
        timer_arm(&worker->timers, timer, worker_now_ms(worker) + SLICE_MS);
}

void evict_init(struct worker *worker)
{
    timer_init(&worker->evict.timer, on_timer);
}

void evict_begin(struct worker *worker)
{
    struct evict *evict = &worker->evict;

    evict->left = worker->sessions_slab.used;
    if (evict->left > 0 && !evict->timer.armed)
        timer_arm(&worker->timers, &evict->timer, worker_now_ms(worker));
}
