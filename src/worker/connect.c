/* worker/connect.c: connects a session to a backend. Worker thread; owns the backend's slot until the session's sockets are closed or the attempt has failed.
 *
 * A failed attempt keeps its slot until its socket is closed, and only then the next attempt starts. So the limit of a backend holds at every moment. */
#include "worker/connect.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "io/congestion.h"
#include "log/access.h"
#include "log/log.h"
#include "table/backend.h"
#include "worker/acceptor.h"
#include "worker/context.h"
#include "worker/outcome.h"
#include "worker/pick.h"
#include "worker/relay.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/session_log.h"
#include "worker/tally.h"

enum {
    RESOURCES_RETRY_MS = 20, /* after a lack of descriptors, memory or ports on this machine */
    SAME_RETRY_MS = 100,     /* before another attempt at the same backend, which may be restarting */
    CLIENT_LOOK_MS = 100,    /* interval at which a slow attempt checks whether the client is still connected */
};

/* Whether the error is a lack of something that a connection to any backend needs. ENOSPC comes from epoll_ctl(2): fs.epoll.max_user_watches. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == ENOSPC;
}

bool connect_lacks_resources(int error)
{
    return is_shortage(error) || error == EADDRNOTAVAIL || error == EAGAIN;
}

/* Schedules another attempt, unless connect_timeout has passed since the session began to connect. */
static void wait_for_resources(struct session *session, int error)
{
    struct worker *worker = session->worker;
    uint64_t due_ms = worker_now_ms(worker) + RESOURCES_RETRY_MS;

    if (worker_may_complain(worker, COMPLAINT_LACK))
        log_warn("pool %s: session " SESSION_NUMBER ": a connection to a backend could not be made (%s), retrying; %s", session->lease.pool->name,
                 SESSION_NUMBER_OF(session), strerrorname_np(error),
                 error == EAGAIN          ? "the accept queue of the backend's UNIX socket is full"
                 : error == EADDRNOTAVAIL ? "no local port is free: widen net.ipv4.ip_local_port_range"
                 : error == ENOSPC        ? "raise fs.epoll.max_user_watches or lower max_connections"
                                          : "raise the descriptor limit or lower max_connections");
    if (is_shortage(error)) { /* otherwise only connections to this backend are affected */
        acceptor_hold(worker);
        pipe_pool_trim(&worker->pipes);
    }
    if (due_ms > session->accepted_ns / 1000000 + session->connecting_ms + session_settings(session)->connect_timeout_ms)
        session_end(session, END_NO_RESOURCES, 1u << CLIENT);
    else
        timer_arm(&worker->timers, &session->timer, due_ms);
}

/* Whether retry_timeout has passed. */
static bool is_late(const struct session *session)
{
    uint32_t timeout_ms = session_settings(session)->retry_timeout_ms;

    return timeout_ms > 0 && worker_now_ms(session->worker) >= session->accepted_ns / 1000000 + timeout_ms;
}

bool connect_may_retry(const struct session *session)
{
    return session->failures < session_settings(session)->retries && !is_late(session);
}

/* Adds a backend to the list of tried ones. Those that failed through their own fault are at the front; the others may be tried again. */
static void note_tried(struct session *session, uint32_t id, bool own_fault)
{
    assert(session->tried_count < SELECT_TRIES_MAX);
    session->tried[session->tried_count++] = id;
    if (!own_fault)
        return;
    session->tried[session->tried_count - 1] = session->tried[session->excluded];
    session->tried[session->excluded++] = id;
}

/* Keeps a reference to the backend for the log line, which may be written after the backend has left the configuration. */
static void note_failed(struct session *session)
{
    if (session->failed)
        backend_drop(session->failed);
    session->failed = session->lease.backend;
    backend_hold(session->failed);
}

/* No further attempt may begin: ends the session with the reason of the last failure, which is a lack on this machine if no backend was at fault. */
static void give_up(struct session *session)
{
    session_end(session, session->end == END_NORMAL ? END_NO_RESOURCES : session->end, 1u << CLIENT);
}

/* The failed attempt has no socket. Starts the next one, after a pause if it goes to the same backend. */
static void attempt_again(struct session *session)
{
    struct worker *worker = session->worker;

    if (session->again) {
        timer_arm(&worker->timers, &session->timer, worker_now_ms(worker) + SAME_RETRY_MS);
        return;
    }
    lease_give(&session->lease, LEASE_BACKEND);
    connect_start(session);
}

void connect_failed(struct session *session, enum session_end reason, int error, bool own_fault)
{
    struct worker *worker = session->worker;

    timer_cancel(&worker->timers, &session->timer);
    session->again = own_fault && session_settings(session)->retry_backend == CONFIG_RETRY_SAME;
    if (!session->again)
        note_tried(session, session->lease.backend->id, own_fault);
    if (own_fault) {
        session->end = reason;
        session->failures++;
    } else {
        session->lacking = error;
    }
    if (log_enabled(LOG_DEBUG)) {
        char text[ADDR_TEXT_BYTES];

        log_debug("pool %s: session " SESSION_NUMBER ": backend %s (%s) failed: %s", session->lease.pool->name, SESSION_NUMBER_OF(session),
                  session->lease.backend->name, addr_format(&session->lease.backend->addr, text, sizeof(text)), strerrorname_np(error));
    }
    note_failed(session);
    session->last_error = error;
    session->attempts++;
    if (session->failures > session_settings(session)->retries || is_late(session)) {
        give_up(session);
        return;
    }
    tally_retried(session);
    if (session->ends[BACKEND].open)
        io_close(worker->io, &session->ends[BACKEND].sock, true);
    else
        attempt_again(session);
}

/* An attempt to connect has failed. */
static void attempt_failed(struct session *session, enum session_end reason, int error)
{
    bool own_fault = !connect_lacks_resources(error) ||
                     (error == EADDRNOTAVAIL && io_lacks_address(session->worker->io, &session->lease.backend->addr));

    if (own_fault) {
        tally_connect_failed(session);
        outcome_connect_failed(session, error);
    }
    connect_failed(session, reason, error, own_fault);
}

void connect_client_left(struct session *session, int error)
{
    session->ends[CLIENT].error = error;
    session->attempts += session->ends[BACKEND].open && !session->ends[BACKEND].sock.closing; /* counts the attempt in progress */
    session_end(session, END_CLIENT_LEFT, 1u << CLIENT | 1u << BACKEND);
}

/* Ends the session if its client has reset the connection, because other clients may wait for the place at a backend. FIN alone does not end it: the client may
 * wait for its answer. Usually no receive is in flight before a backend is connected, so no event reports the reset, and the socket has to be checked. */
static bool client_left(struct session *session)
{
    int error = io_broken(session->worker->io, &session->ends[CLIENT].sock);

    if (error)
        connect_client_left(session, error);
    return error;
}

/* If the accept queue of a stopped backend is full, connecting hangs instead of the first byte: first_byte_timeout bounds both. */
static uint64_t attempt_due_ms(const struct session *session)
{
    const struct pool_settings *settings = session_settings(session);
    uint32_t timeout_ms = settings->connect_timeout_ms;

    if (settings->first_byte_timeout_ms > 0 && settings->first_byte_timeout_ms < timeout_ms)
        timeout_ms = settings->first_byte_timeout_ms;
    return session->active_ns / 1000000 + timeout_ms;
}

/* Arms the timer for the end of the attempt or for the next check of the client. */
static void arm_timer(struct session *session)
{
    uint64_t look_ms = worker_now_ms(session->worker) + CLIENT_LOOK_MS, due_ms = attempt_due_ms(session);

    timer_arm(&session->worker->timers, &session->timer, due_ms < look_ms ? due_ms : look_ms);
}

/* Takes a slot on a backend, unless the session still holds that of the last attempt and may use it again. */
static void choose_backend(struct session *session)
{
    struct select_request request = {.client = &session->client, .random = &session->worker->random, .tried_count = session->tried_count};

    if (session->again && !backend_serves(session->lease.backend))
        lease_give(&session->lease, LEASE_BACKEND);
    session->again = false;
    if (session->lease.backend)
        return;
    memcpy(request.tried, session->tried, session->tried_count * sizeof(request.tried[0]));
    if (pick_backend(session->worker, &session->lease, &request))
        session->tried_count = session->failures = session->excluded = 0; /* those were of another pool */
    if (!session->lease.backend && session->failures > 0) /* a usable backup or an ejected backend is better than resetting the client */
        pick_reserve(session->worker, &session->lease, &request);
}

void connect_start(struct session *session)
{
    struct worker *worker = session->worker;
    const struct listener_settings *listener = listener_settings(session->lease.listener);
    struct io_socket_options options = {
        .keepalive_ms = listener->keepalive_ms,
        .tcp_user_timeout_ms = listener->tcp_user_timeout_ms,
        .receive_buffer_bytes = listener->receive_buffer_bytes,
        .send_buffer_bytes = listener->send_buffer_bytes,
    };
    struct end *end = &session->ends[BACKEND];
    int fd, result;

    assert((session->state == SESSION_CONNECTING || session->state == SESSION_RECONNECTING) && !end->open && (!session->lease.backend || session->again));
    if (client_left(session))
        return;
    if (session->attempts > 0 && is_late(session)) {
        give_up(session);
        return;
    }
    choose_backend(session);
    if (!session->lease.backend && session->lacking) { /* try those again that did not fail through their own fault */
        int error = session->lacking;

        session->lacking = 0;
        session->tried_count = session->excluded;
        wait_for_resources(session, error);
        return;
    }
    if (!session->lease.backend) {
        /* Either there was no backend, or all have failed. In the second case the reason is that of the last failure. */
        session_end(session, session->failures ? session->end : END_NO_BACKEND, 1u << CLIENT);
        return;
    }
    options.congestion = congestion_for_backend(listener->congestion_control, worker->shared->loopback_congestion, &session->lease.backend->addr);
    fd = io_socket(worker->io, addr_family(&session->lease.backend->addr));
    result = fd < 0 ? fd : io_open(worker->io, &end->sock, fd, session_handlers(session->state)->events);
    if (result < 0 && connect_lacks_resources(-result)) {
        lease_give(&session->lease, LEASE_BACKEND);
        wait_for_resources(session, -result);
        return;
    }
    if (result < 0) { /* no socket of this address family is possible; another backend may have another family */
        attempt_failed(session, END_CONNECT_REFUSED, -result);
        return;
    }
    end->open = true;
    io_connect(worker->io, &end->sock, &session->lease.backend->addr, &options);
    session_touch(session);
    arm_timer(session);
}

void connect_connected(struct io_sock *sock, int error)
{
    struct session *session = session_of_sock(sock);
    struct worker *worker = session->worker;
    bool is_first;

    /* If no process listens on a local port within the range for outgoing connections, a connection can be established with itself. */
    if (!error && addr_port(&session->lease.backend->addr) >= worker->shared->outgoing_port_min &&
        io_met_itself(worker->io, &session->ends[BACKEND].sock, &session->lease.backend->addr))
        error = ECONNREFUSED;
    if (error) {
        attempt_failed(session, END_CONNECT_REFUSED, error);
        return;
    }
    timer_cancel(&worker->timers, &session->timer);
    is_first = session->state == SESSION_CONNECTING;
    tally_connected(session);
    session->connected_ns = worker->io->now_ns;
    session_move(session, SESSION_RELAYING);
    session_touch(session);
    session_arm(session);
    if (worker->shared->access.at_open)
        session_log_note(session, ACCESS_OPEN);
    if (is_first && worker->shared->relaying)
        worker->shared->relaying(session);
    if (is_first)
        replay_begin(session);
    session->replays += session->resends;
    session->resends = false;
    relay_start(session);
}

void connect_timer(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);

    if (!session->ends[BACKEND].open) /* the pause after a failed attempt, or after a lack of resources, has ended */
        connect_start(session);
    else if (worker_now_ms(session->worker) >= attempt_due_ms(session))
        attempt_failed(session, END_CONNECT_TIMEOUT, ETIMEDOUT);
    else if (!client_left(session))
        arm_timer(session);
}

void connect_closed(struct io_sock *sock)
{
    struct session *session = session_of_sock(sock);

    end_of_sock(sock)->open = false;
    relay_release_sent(direction_to(sock));
    attempt_again(session);
}

static const struct io_events connecting_events = {
    .connected = connect_connected,
    .received = session_never_received,
    .rest = session_never_rest,
    .sent = session_never_sent,
    .readable = session_never_ready,
    .writable = session_never_ready,
    .closed = connect_closed,
};

const struct session_handlers connect_handlers = {.events = &connecting_events, .timer = connect_timer};
