/* worker/admission.c: lets clients wait for a place at a limit, and distributes accepted clients over the workers. The accepting worker's thread; owns
 * nothing. */
#include "worker/admission.h"

#include "table/counters.h"
#include "table/intake.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/mailbox.h"
#include "worker/acceptor.h"
#include "worker/context.h"
#include "worker/mail.h"
#include "worker/session.h"

/* A hand-over wakes up another thread, so a worker keeps a client unless another worker has fewer sessions by more than one in 16. Below 16 sessions the
 * distribution is exact. */
enum { LEAD_SHARE = 16 };

enum { MOVES_MAX = 4 }; /* how often a client may change between the two limits in one turn */

/* ---- waiting for a place ----
 *
 * A client needs a place of its listener and one of the process. The first client in the queue of an acceptor waits at one limit at a time, `waits_for`: the
 * one that refused it last. It holds no place of the other limit while it waits, so that it does not block other clients. When it is notified, it starts again
 * with the listener's limit.
 *
 * This ends. A younger client may hold the last place of a listener for a moment, on its way to wait for the process, while an older client tries. The older
 * client then waits for the listener. It is notified when the place is given back, and no younger client can take the place first. So a client is refused in
 * this way at most once for each younger client that was already on its way, and each of those gets a session or waits for the process.
 *
 * Clients are ordered by `since_ns`. For the first client in an empty queue, this is the time at which the listening socket became readable. For each client
 * behind it, only a lower bound is known: it arrived no earlier than the client accepted before it, whose arrival time TCP reports. So the assumed time is too
 * early by at most the gap between these two clients. A UNIX socket does not report arrival times. Its next client is placed directly behind the oldest client
 * with a measured time, so that UNIX and TCP queues take turns. */

/* Publishes the earliest time of the acceptors that wait at this limit. */
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

static uint64_t order_time(const struct acceptor *acceptor, uint64_t time_ns)
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

/* On failure, the client waits at the limit that refused it, and its time is published there: a thread that gives a place back from then on sees it. */
enum admission admission_take(struct acceptor *acceptor, struct lease *lease)
{
    struct worker *worker = acceptor->worker;
    enum lease_outcome outcome;

    if (!acceptor->since_ns)
        acceptor->since_ns = order_time(acceptor, worker->io->now_ns);
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
    if (full_limit(acceptor, outcome) != acceptor->waits_for) /* other workers take and give places too: retry after this turn */
        worker->admits = true;
    return ADMISSION_FULL;
}

void admission_accepted(struct acceptor *acceptor, int fd)
{
    struct io *io = acceptor->worker->io;
    uint64_t next_ns;

    if (!acceptor->had_to_wait)
        return;
    next_ns = io_arrived_ns(io, fd);
    if (!next_ns && acceptor->waits_for)
        next_ns = limit_oldest_measured(acceptor->waits_for);
    if (!next_ns)
        next_ns = io->now_ns;
    admission_withdraw(acceptor);
    acceptor->since_ns = order_time(acceptor, next_ns);
}

void admission_emptied(struct acceptor *acceptor)
{
    admission_withdraw(acceptor);
    acceptor->since_ns = 0;
    acceptor->had_to_wait = false;
}

/* ---- spreading ---- */

/* Returns the worker with the fewest sessions if it has clearly fewer than this one, and otherwise this one. */
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

/* Returns false if the other worker ends or its mailbox is full. */
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
    if (intake_leave(intake)) /* the other worker may wait for this before it ends */
        mailbox_order(mailbox, ORDER_DRAIN);
    return false;
}

void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client)
{
    unsigned chosen = worker->shared->workers > 1 && !worker->draining ? choose_worker(worker) : worker->index;

    counters_add(&worker->counters->accepted, 1);
    if (chosen != worker->index) {
        struct mail mail = {.kind = MAIL_CLIENT, .client = {.fd = fd, .lease = *lease, .client = *client}};

        if (hand_over(worker, chosen, &mail))
            return;
    }
    counters_active_add(worker->counters, 1);
    session_new(worker, &(struct session_arrival){.fd = fd, .lease = *lease, .client = client});
}
