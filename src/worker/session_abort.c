/* worker/session_abort.c: the state ABORTING of a session: one side is gone, and the other one still gets the bytes that it had sent. Worker thread; owns
 * nothing beyond the session. */
#include "worker/context.h"
#include "worker/relay.h"
#include "worker/session.h"

enum {
    ABORT_MS = 1000,      /* how long the remaining side may make no progress */
    ABORT_STEP_MS = 10,
};

void session_abort(struct session *session, enum side gone)
{
    struct direction *to_gone = &session->directions[!gone];

    session->end = gone == CLIENT ? END_CLIENT_GONE : END_BACKEND_GONE;
    session_move(session, SESSION_ABORTING);
    session_touch(session);
    relay_break(to_gone);
    session_abort_progress(session);
}

void session_abort_progress(struct session *session)
{
    struct worker *worker = session->worker;
    enum side gone = session->end == END_CLIENT_GONE ? CLIENT : BACKEND;
    struct direction *from_gone = &session->directions[gone];
    uint32_t undelivered = io_undelivered(worker->io, &session->ends[!gone].sock);
    bool may_read = from_gone->phase == DIRECTION_COPY || from_gone->phase == DIRECTION_TAPPED || from_gone->phase == DIRECTION_SPLICE;
    bool delivered = !may_read && relay_flushed(from_gone) && undelivered == 0;

    if (undelivered != session->undelivered) /* the peer has acknowledged bytes in the socket, which no event reports */
        session_touch(session);
    session->undelivered = undelivered;
    if (delivered || worker->io->now_ns - session->active_ns >= (uint64_t)ABORT_MS * 1000000)
        session_end(session, session->end, 1u << CLIENT | 1u << BACKEND);
    else
        timer_arm(&worker->timers, &session->timer, worker_now_ms(worker) + ABORT_STEP_MS);
}

static void on_timer(struct timer *timer)
{
    session_abort_progress(container_of(timer, struct session, timer));
}

const struct session_handlers session_abort_handlers = {.events = &relay_events, .timer = on_timer};
