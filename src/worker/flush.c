/* worker/flush.c: counts the bytes of open sessions and flows. Worker thread, except worker_flush(); owns nothing. */
#include "worker/flush.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "table/counters.h"
#include "table/mailbox.h"
#include "worker/context.h"
#include "worker/mail.h"
#include "worker/session.h"
#include "worker/tally.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

enum { SLICE_MS = 1, VISITED_MAX = 256, POLL_US = 1000 };

static uint32_t visit_session(struct walk *walk, struct list *link)
{
    struct session *session = container_of(link, struct session, link);

    (void)walk;
    if (session->state != SESSION_CLOSING) /* otherwise they were counted */
        tally_session_bytes(session);
    return 0;
}

static uint32_t visit_flow(struct walk *walk, struct list *link)
{
    struct flow *flow = container_of(link, struct flow, link);

    (void)walk;
    if (flow->state != FLOW_CLOSING)
        tally_flow_bytes(flow);
    return 0;
}

static void note_end(struct walk *walk)
{
    struct timespec cpu;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
        counters_set(&walk->worker->counters->cpu_ns, (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec);
    counters_add(&walk->worker->counters->flushes, 1);
}

/* After the sessions come the flows. */
static void visit_flows(struct walk *walk)
{
    struct worker *worker = walk->worker;

    if (worker->udp)
        walk_begin(&worker->flow_flush, &worker->udp->flows, worker->udp->flows_slab.used);
    else
        note_end(walk);
}

static const struct walk_kind session_flush = {.slice_ms = SLICE_MS, .visited_max = VISITED_MAX, .cost_max = 1, .visit = visit_session, .done = visit_flows};
static const struct walk_kind flow_flush = {.slice_ms = SLICE_MS, .visited_max = VISITED_MAX, .cost_max = 1, .visit = visit_flow, .done = note_end};

void flush_init(struct worker *worker)
{
    walk_init(&worker->session_flush, worker, &session_flush);
    walk_init(&worker->flow_flush, worker, &flow_flush);
}

void flush_begin(struct worker *worker)
{
    walk_begin(&worker->session_flush, &worker->sessions, worker->sessions_slab.used);
}

/* ---- the thread that wants a report ---- */

void worker_order_flush(void *mailboxes, unsigned worker)
{
    mailbox_order((struct mailbox *)mailboxes + worker, ORDER_FLUSH);
}

static bool has_flushed(const struct worker_shared *shared, unsigned worker, uint64_t before)
{
    return counters_read(&shared->counters[worker].flushes) != before || mailbox_is_closed(&shared->mailboxes[worker]);
}

void worker_flush(const struct worker_shared *shared, uint64_t deadline_ns)
{
    uint64_t *before = calloc(shared->workers, sizeof(*before));

    if (!before) /* the report then lacks the latest bytes */
        return;
    for (unsigned i = 0; i < shared->workers; i++) {
        before[i] = counters_read(&shared->counters[i].flushes);
        worker_order_flush(shared->mailboxes, i);
    }
    for (unsigned i = 0; i < shared->workers; i++) {
        while (!has_flushed(shared, i, before[i]) && clock_now_ns() < deadline_ns)
            (void)usleep(POLL_US);
    }
    free(before);
}
