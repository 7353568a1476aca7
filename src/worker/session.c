/* worker/session.c: the start and the end of a session, and its state CLOSING. Worker thread; owns both sockets and the lease. */
#include "worker/session.h"

#include <assert.h>
#include <string.h>

#include "log/log.h"
#include "table/backend.h"
#include "table/counters.h"
#include "worker/acceptor.h"
#include "worker/admission.h"
#include "worker/connect.h"
#include "worker/context.h"
#include "worker/outcome.h"
#include "worker/relay.h"
#include "worker/session_log.h"
#include "worker/tally.h"

_Static_assert(sizeof(struct session) <= 640, "a slab rounds up to lines of 64 bytes, and an idle connection is promised to cost few");

/* ---- the end ---- */

void session_end(struct session *session, enum session_end reason, unsigned resets)
{
    struct worker *worker = session->worker;

    if (session->state == SESSION_CLOSING)
        return;
    session->end = reason;
    if (reason == END_BACKEND_GONE && session->connected_ns) /* otherwise reconnect_start() has noted it */
        outcome_backend_gone(session);
    tally_session_bytes(session);
    session_move(session, SESSION_CLOSING);
    timer_cancel(&worker->timers, &session->timer);
    session_log_prepare(session);
    relay_release(session);
    for (int side = CLIENT; side <= BACKEND; side++) {
        struct end *end = &session->ends[side];

        if (end->open && !end->sock.closing) /* the socket of a failed attempt may be closing already */
            io_close(worker->io, &end->sock, resets & 1u << side);
    }
}

#define QUIET_NS ((uint64_t)2000000000)

/* Whether an end that no silence has announced may interrupt a transfer. A session is between two transfers, probably, if the backend has answered and nothing
 * has moved for a while since, or if nothing has ever moved. */
static bool may_interrupt(const struct session *session, enum session_end reason)
{
    bool awaits_answer = session->last_source == CLIENT && session->directions[CLIENT].bytes > 0;

    switch (reason) {
    case END_KILLED:
    case END_STOPPED:
    case END_LIFETIME:
        return true;
    case END_BACKEND_DOWN:
    case END_BACKEND_DRAINED:
    case END_FAILBACK:
        return awaits_answer || session->worker->io->now_ns - session->active_ns < QUIET_NS;
    default:
        return false;
    }
}

/* Whether FIN at the direction's destination would make incomplete data look complete. If both sides are silent and nothing is held, FIN only means that. But
 * a side that has sent FIN waits for an answer, and a stop, an administrator, an eviction or the end of the lifetime may interrupt a transfer. */
static bool cut_short(const struct session *session, enum side source, enum session_end reason)
{
    const struct direction *direction = &session->directions[source];

    if (!relay_flushed(direction))
        return true;
    return direction->phase != DIRECTION_ENDED && (may_interrupt(session, reason) || session->directions[!source].phase == DIRECTION_ENDED);
}

void session_give_up(struct session *session, enum session_end reason)
{
    unsigned resets = 0;

    if (session->ends[CLIENT].error || session->ends[BACKEND].error) /* incomplete data must not look complete */
        resets = 1u << CLIENT | 1u << BACKEND;
    for (enum side source = CLIENT; source <= BACKEND; source++) {
        if (cut_short(session, source, reason))
            resets |= 1u << !source;
    }
    session_end(session, reason, resets);
}

/* ---- CLOSING ---- */

static void session_free(struct session *session)
{
    struct worker *worker = session->worker;

    struct lease lease = session->lease; /* the objects in it stay valid until the end of the turn */

    assert(session->state == SESSION_CLOSING);
    tally_session_ended(session);
    counters_active_add(worker->counters, -1);
    lease_give(&session->lease, LEASE_ALL);
    session_log(session, &lease); /* after everything was given back, so that a reader of the line can rely on the free places */
    if (session->failed)
        backend_drop(session->failed);
    walk_forget(worker, &session->link);
    list_remove(&session->link);
    slab_give(&worker->sessions_slab, session);
    if (worker->sessions_slab.used == 0)
        pipe_pool_trim(&worker->pipes);
    acceptor_resume(worker);
}

static void on_closed(struct io_sock *sock)
{
    struct session *session = session_of_sock(sock);

    end_of_sock(sock)->open = false;
    relay_release_sent(direction_to(sock));
    if (session->ends[CLIENT].open || session->ends[BACKEND].open)
        return;
    session_free(session);
}

static const struct io_events closing_events = {
    .connected = session_never_connected,
    .received = session_never_received,
    .rest = session_never_rest,
    .sent = session_never_sent,
    .readable = session_never_ready,
    .writable = session_never_ready,
    .closed = on_closed,
};

const struct session_handlers session_closing_handlers = {.events = &closing_events, .timer = session_never_timer};

/* ---- the beginning ---- */

void session_new(struct worker *worker, const struct session_arrival *arrival)
{
    const struct session_handlers *handlers = session_handlers(SESSION_CONNECTING);
    struct session *session = slab_take(&worker->sessions_slab);
    struct lease lease;
    int result;

    if (!session) {
        io_discard(worker->io, arrival->fd);
        goto fail;
    }
    *session = (struct session){
        .worker = worker,
        .number = ++worker->session_number,
        .state = SESSION_CONNECTING,
        .directions = {{.source = CLIENT, .pipe = PIPE_NONE}, {.source = BACKEND, .pipe = PIPE_NONE}},
        .ends = {{.side = CLIENT}, {.side = BACKEND}},
        .lease = arrival->lease,
        .accepted_ns = worker->io->now_ns,
        .active_ns = worker->io->now_ns,
        .client = *arrival->client,
    };
    timer_init(&session->timer, handlers->timer);
    result = io_open(worker->io, &session->ends[CLIENT].sock, arrival->fd, handlers->events);
    if (result < 0) {
        slab_give(&worker->sessions_slab, session);
        goto fail;
    }
    session->ends[CLIENT].open = true;
    list_append(&worker->sessions, &session->link);
    if (log_enabled(LOG_DEBUG)) {
        char client[ADDR_TEXT_BYTES];

        log_debug("session " SESSION_NUMBER ": client %s of listener %s -> %s", SESSION_NUMBER_OF(session),
                  addr_format(&session->client, client, sizeof(client)), session->lease.listener->name, session_state_name(session->state));
    }
    tally_session_began(session);
    connect_start(session);
    return;

fail:
    if (worker_may_complain(worker, COMPLAINT_LACK))
        log_error("listener %s: a client was reset: no memory for a session", arrival->lease.listener->name);
    tally_client_refused(arrival->lease.listener);
    counters_active_add(worker->counters, -1);
    lease = arrival->lease;
    lease_give(&lease, LEASE_ALL);
}

bool session_tcp_info(struct session *session, enum side side, struct io_tcp_info *info)
{
    struct end *end = &session->ends[side];
    bool is_connected = side == CLIENT || session->connected_ns;

    return is_connected && end->open && !end->sock.closing && io_tcp_info(session->worker->io, &end->sock, info);
}
