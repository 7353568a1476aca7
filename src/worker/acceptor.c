/* worker/acceptor.c: accepts clients. Worker thread; owns its listening sockets.
 *
 *   open -----> draining (no new client enters its accept queue) -----> closing -----> closed
 *
 * Accepting stops at a connection limit, and when the process has no descriptors or memory left. Clients then wait in the kernel's accept queue.
 *   At a limit, the acceptor continues when it is notified that a place is free for its next client (admission.c). While its queue is empty, it polls as usual.
 *   Without descriptors or memory, all acceptors of the worker pause. They continue when one of its sessions ends, unless a session of any worker still lacks a
 *   descriptor. They also retry after a short time, because another worker or process may have freed what was missing. */
#include "worker/acceptor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "io/congestion.h"
#include "log/log.h"
#include "table/intake.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/shortage.h"
#include "worker/admission.h"
#include "worker/context.h"

enum {
    ACCEPT_BATCH = 16,        /* clients accepted in a row; then the sessions have their turn */
    HOLD_RETRY_MS = 20,
    HOLD_MS = 50,
    RESOURCES_RETRY_MS = 100,
    HANDSHAKE_MS = 100,       /* a drain waits this long for handshakes that have begun: one round trip */
};

/* The result of an attempt to accept. */
enum accepting { ACCEPT_MORE, ACCEPT_EMPTY, ACCEPT_PAUSED };

static void wait_for_clients(struct acceptor *acceptor)
{
    assert(acceptor->open && !acceptor->waiting);
    acceptor->waiting = true;
    io_poll(acceptor->worker->io, &acceptor->sock, IO_IN);
}

/* Pauses all acceptors of the worker, for lack of descriptors or memory. Their clients give up their turn for a place, so that they do not block other
 * workers. If a queue is empty, nothing else would notice this before its next client comes, which would then be taken for one that has waited since before the
 * pause. */
static void pause_all(struct worker *worker, uint32_t retry_ms)
{
    worker->accept_paused = true;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        if (acceptor->open && acceptor->since_ns && !io_has_clients(worker->io, &acceptor->sock))
            admission_emptied(acceptor);
        else
            admission_withdraw(acceptor);
    }
    timer_arm(&worker->timers, &worker->accept_timer, worker_now_ms(worker) + retry_ms);
}

/* Whether a session of any worker lacks a descriptor or memory. Such a session retries every 20 ms and notes its failure each time. If only its own worker
 * stopped accepting, the others would use each freed descriptor for a new client, until all descriptors belonged to clients that wait for a second one. */
static bool is_held(const struct worker *worker)
{
    return shortage_since(worker->shared->shortage, worker->io->now_ns, (uint64_t)HOLD_MS * 1000000);
}

void acceptor_hold(struct worker *worker)
{
    shortage_note(worker->shared->shortage, worker->io->now_ns);
    pause_all(worker, RESOURCES_RETRY_MS);
}

static void close_acceptor(struct acceptor *acceptor)
{
    acceptor->open = false;
    admission_withdraw(acceptor);
    acceptor->sock.close_at_once = true;
    io_close(acceptor->worker->io, &acceptor->sock, false);
}

/* Whether any worker drains. The first one that is ordered to drain shuts the UNIX sockets that all of them share. */
static bool process_drains(const struct worker *worker)
{
    for (unsigned i = 0; i < worker->shared->workers; i++) {
        if (intake_closed(&worker->shared->intakes[i]))
            return true;
    }
    return false;
}

/* Another process has shut the socket down, with `ss -K` or through a descriptor of its own. The queued clients have been reset, but the address is still
 * bound. A UNIX socket cannot listen again. */
static enum accepting listen_again(struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;
    const char *name = acceptor->listener->name;
    int result;

    if (process_drains(worker))
        return ACCEPT_EMPTY;
    result = io_listen_again(worker->io, &acceptor->sock, listener_settings(acceptor->listener)->backlog);
    if (result < 0) {
        log_error("listener %s: another process shut down one of its sockets, and it cannot listen again (%s): worker %u accepts no clients there; "
                  "restart penstock",
                  name, strerror(-result), worker->index);
        close_acceptor(acceptor);
        return ACCEPT_PAUSED;
    }
    log_warn("listener %s: another process shut down one of its sockets; it listens again", name);
    return ACCEPT_MORE;
}

/* Decides what follows from a failed accept(2). */
static enum accepting accept_failed(struct acceptor *acceptor, int error)
{
    struct worker *worker = acceptor->worker;
    const char *name = acceptor->listener->name;

    switch (error) {
    case EAGAIN:
        return ACCEPT_EMPTY;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        if (worker_may_complain(worker, COMPLAINT_LACK))
            log_warn("listener %s: accepting pauses: %s; raise the descriptor limit or lower max_connections", name, strerror(error));
        pause_all(worker, RESOURCES_RETRY_MS);
        return ACCEPT_PAUSED;
    case EINVAL:
        return listen_again(acceptor);
    case EBADF:
    case EFAULT:
    case ENOTSOCK:
        log_error("listener %s: accept: %s", name, strerror(error));
        assert(!"an acceptor has a listening socket");
        return ACCEPT_PAUSED;
    case ECONNABORTED: /* these are errors of this one client's connection: accept(2) */
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return ACCEPT_MORE;
    default: /* EPERM and others: a security module or a filter may return them for any length of time */
        if (worker_may_complain(worker, COMPLAINT_LACK))
            log_warn("listener %s: accepting pauses: %s", name, strerror(error));
        pause_all(worker, RESOURCES_RETRY_MS);
        return ACCEPT_PAUSED;
    }
}

static void set_congestion(const struct acceptor *acceptor, int fd, const struct addr *client)
{
    const struct worker_shared *shared = acceptor->worker->shared;
    const char *name = congestion_for_client(listener_settings(acceptor->listener)->congestion_control, shared->loopback_congestion, client);

    if (name)
        io_set_congestion(acceptor->worker->io, fd, name);
}

/* Accepts a batch of clients. */
static enum accepting accept_some(struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;

    for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
        struct lease lease = {0};
        enum accepting outcome;
        struct addr client;
        int fd;

        if (worker->draining && acceptor->drain_left == 0)
            return ACCEPT_EMPTY;
        if (is_held(worker)) {
            pause_all(worker, HOLD_RETRY_MS);
            return ACCEPT_PAUSED;
        }
        switch (admission_take(acceptor, &lease)) {
        case ADMISSION_FULL:
            return ACCEPT_PAUSED;
        case ADMISSION_NOBODY:
            return ACCEPT_EMPTY;
        case ADMITTED:
            break;
        }
        fd = io_accept(worker->io, &acceptor->sock, &client);
        if (fd >= 0) {
            if (worker->draining)
                acceptor->drain_left--;
            if (acceptor->by_client)
                set_congestion(acceptor, fd, &client);
            admission_accepted(acceptor, fd);
            admission_place(worker, &lease, fd, &client);
            continue;
        }
        if (fd == -EAGAIN)
            admission_emptied(acceptor);
        lease_give(&lease, LEASE_ALL);
        if (fd == -EAGAIN && i == 0 && acceptor->is_unix && io_is_shut(worker->io, &acceptor->sock)) /* otherwise its poll would end again and again */
            return listen_again(acceptor);
        outcome = accept_failed(acceptor, -fd);
        if (outcome != ACCEPT_MORE)
            return outcome;
    }
    if (!acceptor->had_to_wait || !io_has_clients(worker->io, &acceptor->sock))
        admission_emptied(acceptor); /* or nearly so: no client has waited for a place, and the next one gets a new time */
    return ACCEPT_MORE;
}

/* Arms the timer for a retry at `due_ms`, unless it is due earlier. */
static void try_again_by(struct worker *worker, uint64_t due_ms)
{
    if (!worker->accept_timer.armed || worker->accept_timer.due_ms > due_ms)
        timer_arm(&worker->timers, &worker->accept_timer, due_ms);
}

/* Accepts the clients in the queue, because closing the socket would reset them. It accepts one batch per turn, so that the sessions continue. */
static void drain_one(struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;
    enum accepting outcome = accept_some(acceptor);

    if (outcome == ACCEPT_MORE) {
        try_again_by(worker, worker_now_ms(worker));
    } else if (outcome == ACCEPT_EMPTY && (acceptor->is_unix || acceptor->drain_left == 0 || worker_now_ms(worker) >= worker->handshakes_until_ms)) {
        close_acceptor(acceptor);
    } else if (outcome == ACCEPT_EMPTY) {
        if (!acceptor->waiting)
            wait_for_clients(acceptor);
        try_again_by(worker, worker->handshakes_until_ms);
    }
}

static void drain_each(struct worker *worker)
{
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        if (worker->accepting && worker->acceptors[i].open && !worker->acceptors[i].waits_for && !worker->accept_paused)
            drain_one(&worker->acceptors[i]);
    }
}

static void serve_clients(struct acceptor *acceptor)
{
    if (acceptor->worker->draining)
        drain_one(acceptor);
    else if (accept_some(acceptor) != ACCEPT_PAUSED && !acceptor->waiting)
        wait_for_clients(acceptor);
}

static void on_readable(struct io_sock *sock)
{
    struct acceptor *acceptor = container_of(sock, struct acceptor, sock);

    acceptor->waiting = false;
    if (!acceptor->worker->accept_paused)
        serve_clients(acceptor);
}

/* Lets each acceptor try. The order does not matter: a limit admits only the client that has waited longest, and then notifies the next one. */
void acceptor_admit(struct worker *worker)
{
    worker->admits = false;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        if (acceptor->waits_for && limit_would_take(acceptor->waits_for, acceptor->since_ns))
            serve_clients(acceptor);
    }
}

/* The maximum number of clients that the accept queue can hold. */
static uint32_t queue_max(const struct acceptor *acceptor)
{
    return (uint32_t)listener_settings(acceptor->listener)->backlog + 1;
}

/* Accepts clients that arrived after the last accept(2) found an empty queue, as far as the limits allow. The poll has ended, so no event would report them. */
static void on_closing(struct io_sock *sock)
{
    struct acceptor *acceptor = container_of(sock, struct acceptor, sock);

    if (!acceptor->worker->draining || acceptor->worker->stopping)
        return;
    if (acceptor->drain_left == 0)
        acceptor->drain_left = queue_max(acceptor);
    while (accept_some(acceptor) == ACCEPT_MORE)
        ;
    admission_withdraw(acceptor);
}

static void on_closed(struct io_sock *sock)
{
    struct acceptor *acceptor = container_of(sock, struct acceptor, sock);

    assert(acceptor->worker->acceptors_open > 0);
    acceptor->worker->acceptors_open--;
    listener_drop(acceptor->listener);
}

static const struct io_events acceptor_events = {.readable = on_readable, .closing = on_closing, .closed = on_closed};

void acceptor_resume(struct worker *worker)
{
    size_t count = worker->acceptor_count;

    if (!worker->accept_paused)
        return;
    if (!worker->accepting) { /* a session that another worker handed over paused acceptors that have not started yet */
        worker->accept_paused = false;
        timer_cancel(&worker->timers, &worker->accept_timer);
        return;
    }
    if (is_held(worker)) {
        pause_all(worker, HOLD_RETRY_MS);
        return;
    }
    if (worker->draining) { /* draining an acceptor starts sessions, which must not happen inside the end of another session */
        timer_arm(&worker->timers, &worker->accept_timer, worker_now_ms(worker));
        return;
    }
    worker->accept_paused = false;
    timer_cancel(&worker->timers, &worker->accept_timer);
    worker->accept_turn++; /* another acceptor is first each time, so that a freed descriptor does not always go to the same one */
    for (size_t i = 0; i < count; i++) {
        struct acceptor *acceptor = &worker->acceptors[(worker->accept_turn + i) % count];

        if (acceptor->open && !acceptor->waiting && !acceptor->waits_for)
            wait_for_clients(acceptor);
    }
}

static void on_accept_timer(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, accept_timer);

    if (is_held(worker)) {
        pause_all(worker, HOLD_RETRY_MS);
        return;
    }
    if (worker->draining) { /* with an empty queue, no poll would ever end */
        worker->accept_paused = false;
        drain_each(worker);
        return;
    }
    worker->accept_paused = true; /* as acceptor_resume() expects, because the timer is no longer armed */
    acceptor_resume(worker);
}

int acceptor_open_all(struct worker *worker)
{
    int result = 0;

    timer_init(&worker->accept_timer, on_accept_timer);
    worker->acceptors = calloc(worker->socket_count ? worker->socket_count : 1, sizeof(*worker->acceptors));
    for (size_t i = 0; i < worker->socket_count; i++) {
        const struct worker_socket *from = &worker->sockets[i];
        struct acceptor *acceptor;

        if (from->is_udp)
            continue;
        if (!worker->acceptors || result < 0) { /* all descriptors are ours, so those that are not reached are closed too */
            (void)close(from->fd);
            continue;
        }
        acceptor = &worker->acceptors[worker->acceptor_count++];
        *acceptor = (struct acceptor){
            .worker = worker,
            .listener = from->listener,
            .is_unix = from->is_unix,
            .by_client = !from->has_congestion && worker->shared->loopback_congestion,
        };
        result = io_open(worker->io, &acceptor->sock, from->fd, &acceptor_events);
        if (result < 0)
            continue;
        acceptor->open = true;
        worker->acceptors_open++;
        listener_hold(acceptor->listener);
    }
    return worker->acceptors ? result : -ENOMEM;
}

void acceptor_accept_all(struct worker *worker)
{
    assert(!worker->accepting);
    worker->accepting = true;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        if (worker->acceptors[i].open)
            wait_for_clients(&worker->acceptors[i]);
    }
}

void acceptor_drain_all(struct worker *worker)
{
    worker->handshakes_until_ms = worker_now_ms(worker) + HANDSHAKE_MS;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        struct acceptor *acceptor = &worker->acceptors[i];

        if (!acceptor->open)
            continue;
        /* The queue, and as many handshakes that have begun. Without this bound, clients that enter the queue as fast as they are accepted would keep the
         * socket open. */
        acceptor->drain_left = 2 * queue_max(acceptor);
        if (!io_stop_queueing(worker->io, &acceptor->sock) && worker_may_complain(worker, COMPLAINT_LACK))
            log_warn("listener %s: the kernel allows neither a socket filter nor a minimum TTL: clients that connect while it closes may be reset",
                     acceptor->listener->name);
    }
    drain_each(worker);
}

void acceptor_close_all(struct worker *worker)
{
    timer_cancel(&worker->timers, &worker->accept_timer);
    worker->accept_paused = false;
    for (size_t i = 0; i < worker->acceptor_count; i++) {
        if (worker->acceptors[i].open)
            close_acceptor(&worker->acceptors[i]);
    }
}
