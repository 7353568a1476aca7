/* worker/access_log.c: which sessions and flows have lines in the access log, and the lines of those that stay open for long. Worker thread; owns nothing. */
#include "worker/access_log.h"

#include "base/hash.h"
#include "log/access.h"
#include "log/log.h"
#include "worker/context.h"
#include "worker/session.h"
#include "worker/session_log.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

enum {
    VISITS = 8,           /* in each interval */
    VISITS_MIN_MS = 250,  /* from one visit to the next */
    VISITS_MAX_MS = 10000,
    LINES_MAX = 64,       /* in a slice of a visit, so that the log can follow */
};

bool access_log_samples(const struct worker *worker, uint64_t number)
{
    uint64_t seed = number << 12 | worker->index;

    return log_access_enabled() && random_below(&seed, 100) < worker->shared->access.sample_percent;
}

/* Whether an age that began at `start_ms` has reached another multiple of the interval since the last visit. */
static bool is_due(const struct worker *worker, uint64_t start_ms)
{
    const struct access_log *log = &worker->access_log;
    uint32_t every_ms = worker->shared->access.every_ms;
    uint64_t before = log->visited_ms > start_ms ? (log->visited_ms - start_ms) / every_ms : 0;

    return log->visit_ms > start_ms && (log->visit_ms - start_ms) / every_ms > before;
}

static void arm_timer(struct worker *worker)
{
    uint32_t pause_ms = worker->shared->access.every_ms / VISITS;

    pause_ms = pause_ms < VISITS_MIN_MS ? VISITS_MIN_MS : pause_ms > VISITS_MAX_MS ? VISITS_MAX_MS : pause_ms;
    timer_arm(&worker->timers, &worker->access_log.timer, worker_now_ms(worker) + pause_ms);
}

static uint32_t visit_session(struct walk *walk, struct list *link)
{
    const struct worker *worker = walk->worker;
    struct session *session = container_of(link, struct session, link);

    if (session->state == SESSION_CLOSING || !is_due(worker, session->accepted_ns / 1000000))
        return 0;
    session_log_note(session, ACCESS_ALIVE);
    return 1;
}

static uint32_t visit_flow(struct walk *walk, struct list *link)
{
    const struct worker *worker = walk->worker;
    const struct flow *flow = container_of(link, struct flow, link);

    if (flow->state == FLOW_CLOSING || !is_due(worker, flow->opened_ns / 1000000))
        return 0;
    udp_flow_log(flow, ACCESS_ALIVE);
    return 1;
}

static void flows_done(struct walk *walk)
{
    arm_timer(walk->worker);
}

static void sessions_done(struct walk *walk)
{
    struct worker *worker = walk->worker;

    if (worker->udp)
        walk_begin(&worker->access_log.flows, &worker->udp->flows, worker->udp->flows_slab.used);
    else
        arm_timer(worker);
}

static const struct walk_kind sessions_kind = {.slice_ms = 10, .visited_max = 256, .cost_max = LINES_MAX, .visit = visit_session, .done = sessions_done};
static const struct walk_kind flows_kind = {.slice_ms = 10, .visited_max = 256, .cost_max = LINES_MAX, .visit = visit_flow, .done = flows_done};

static void on_timer(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, access_log.timer);
    struct access_log *log = &worker->access_log;

    log->visited_ms = log->visit_ms;
    log->visit_ms = worker_now_ms(worker);
    walk_begin(&log->sessions, &worker->sessions, worker->sessions_slab.used);
}

void access_log_init(struct worker *worker)
{
    struct access_log *log = &worker->access_log;

    timer_init(&log->timer, on_timer);
    walk_init(&log->sessions, worker, &sessions_kind);
    walk_init(&log->flows, worker, &flows_kind);
    log->visit_ms = worker_now_ms(worker);
    if (log_access_enabled() && worker->shared->access.every_ms > 0)
        arm_timer(worker);
}
