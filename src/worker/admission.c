/* worker/admission.c: waiting for a place at a limit, and the spreading of clients over workers. The accepting worker's thread; owns nothing. */
#include "table/counters.h"
#include "table/intake.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/mailbox.h"
#include "worker/acceptor.h"
#include "worker/admission.h"
#include "worker/context.h"
#include "worker/mail.h"
#include "worker/session.h"

/* A hand-over costs a wake-up of another thread, so that with many sessions a small lead is left alone: one in 16. With fewer than 16 the spread is exact. */
enum { LEAD_SHARE = 16 };

enum { MOVES_MAX = 4 }; /* from one limit to the other in a turn */

/* ---- waiting for a place ----
 *
 * A client needs a place of its listener and one of the process. The first client of an acceptor's queue waits for one of the two at a time, `waits_for`: the one
 * that refused it last. It holds no place of the other meanwhile, so that it keeps nobody out. Told that there is one, it begins again with the listener's.
 *
 * That ends, although a client that is on its way to wait for the process may have held the only place of a listener when an older one tried. The older one then waits
 * for the listener; it is told when the place is given back, and no younger client can take that place before. So a client is turned back in this way at most once
 * for each younger one that was already on its way, and each of those ends with a session or among those that wait for the process.
 *
 * The order is that of `since_ns`. For the first client in an empty queue it is when the listening socket became readable. Of the ones behind it, it is known only
 * that they came no earlier than the one that was accepted last, and when that one came TCP tells: so a client is placed too early by the gap between itself and the
 * one before it, at most. A UNIX socket does not tell. There the next client is placed right behind whoever waits longest, of those whose time is known: its queue has its
 * turn with others, and neither keeps the other out. */

/* Publishes the longest wait of the worker's acceptors. */
static void publish_wait(struct worker *worker, struct limit *limit)
{
    uint64_t since_ns = 0;

    for (size_t i = 0; i < worker->acceptor_count; i++) {
        const struct acceptor *acceptor = &worker->acceptors[i];

        if (acceptor->waits_for == limit && (!since_ns || acceptor->since_ns < since_ns))
            since_ns = acceptor->since_ns;
    }
    limit_wait(limit, worker->index, since_ns);
}

void admission_withdraw(struct acceptor *acceptor)
{
    struct limit *limit = acceptor->waits_for;

    if (!limit)
        return;
    acceptor->waits_for = NULL;
    publish_wait(acceptor->worker, limit);
}

static void wait_for_place(struct acceptor *acceptor, struct limit *limit)
{
    if (acceptor->waits_for == limit)
        return;
    admission_withdraw(acceptor);
    acceptor->waits_for = limit;
    acceptor->had_to_wait = true;
    publish_wait(acceptor->worker, limit);
}

static uint64_t since(const struct acceptor *acceptor, uint64_t time_ns)
{
    return acceptor->is_unix ? time_ns | LIMIT_PLACED : time_ns & ~LIMIT_PLACED;
}

static enum lease_outcome try_to_take(struct acceptor *acceptor, struct lease *lease)
{
    return lease_take(lease, acceptor->listener, acceptor->worker->shared->connections, acceptor->since_ns);
}

static struct limit *full_limit(const struct acceptor *acceptor, enum lease_outcome outcome)
{
    return outcome == LEASE_LISTENER_FULL ? &acceptor->listener->connections : acceptor->worker->shared->connections;
}

/* Ends waiting for the limit that refused the client when that was published: whoever gives a place back from then on sees it. */
enum admission admission_take(struct acceptor *acceptor, struct lease *lease)
{
    struct worker *worker = acceptor->worker;
    enum lease_outcome outcome;

    if (!acceptor->since_ns)
        acceptor->since_ns = since(acceptor, worker->io->now_ns);
    outcome = try_to_take(acceptor, lease);
    if (outcome == LEASE_TAKEN)
        return ADMITTED;
    if (!io_has_clients(worker->io, &acceptor->sock)) {
        admission_emptied(acceptor);
        return ADMISSION_NOBODY;
    }
    for (int i = 0; i < MOVES_MAX && outcome != LEASE_TAKEN && (i == 0 || full_limit(acceptor, outcome) != acceptor->waits_for); i++) {
        wait_for_place(acceptor, full_limit(acceptor, outcome));
        outcome = try_to_take(acceptor, lease);
    }
    if (outcome == LEASE_TAKEN)
        return ADMITTED;
    if (full_limit(acceptor, outcome) != acceptor->waits_for) /* others come and go meanwhile: once more when the sessions have had their turn */
        worker->admits = true;
    return ADMISSION_FULL;
}

void admission_accepted(struct acceptor *acceptor, int fd)
{
    struct io *io = acceptor->worker->io;
    uint64_t next_ns = io->now_ns;
    int64_t queued_ms;

    if (!acceptor->had_to_wait)
        return;
    queued_ms = io_queued_ms(io, fd);
    if (queued_ms >= 0)
        next_ns -= (uint64_t)queued_ms * 1000000;
    else if (acceptor->waits_for && limit_oldest_measured(acceptor->waits_for))
        next_ns = limit_oldest_measured(acceptor->waits_for);
    admission_withdraw(acceptor);
    acceptor->since_ns = since(acceptor, next_ns);
}

void admission_emptied(struct acceptor *acceptor)
{
    admission_withdraw(acceptor);
    acceptor->since_ns = 0;
    acceptor->had_to_wait = false;
}

/* ---- spreading ---- */

/* The worker with the fewest sessions if it has clearly fewer than this one. */
static unsigned choose_worker(const struct worker *worker)
{
    const struct worker_shared *shared = worker->shared;
    uint32_t own = counters_active(worker->counters);
    uint32_t least = own - own / LEAD_SHARE;
    unsigned chosen = worker->index;

    for (unsigned i = 0; i < shared->workers; i++) {
        uint32_t active = counters_active(&shared->counters[i]);

        if (active < least && !intake_closed(&shared->intakes[i])) {
            least = active;
            chosen = i;
        }
    }
    return chosen;
}

/* False: the other worker ends, or its mailbox is full. */
static bool hand_over(struct worker *worker, unsigned to, const struct mail *mail)
{
    struct counters *target = &worker->shared->counters[to];
    struct intake *intake = &worker->shared->intakes[to];
    struct mailbox *mailbox = &worker->shared->mailboxes[to];

    if (!intake_enter(intake))
        return false;
    counters_active_add(target, 1);
    if (mailbox_post(mailbox, mail)) {
        counters_add(&worker->counters->handed_over, 1);
        return true;
    }
    counters_active_add(target, -1);
    if (intake_leave(intake)) /* the other worker may wait for just this before it ends */
        mailbox_order(mailbox, ORDER_DRAIN);
    return false;
}

void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client)
{
    unsigned chosen = worker->shared->workers > 1 && !worker->draining ? choose_worker(worker) : worker->index;

    counters_add(&worker->counters->accepted, 1);
    if (chosen != worker->index) {
        struct mail mail = {.fd = fd, .lease = *lease, .client = *client};

        if (hand_over(worker, chosen, &mail))
            return;
    }
    counters_active_add(worker->counters, 1);
    session_new(worker, &(struct session_arrival){.fd = fd, .lease = *lease, .client = client});
}
