/* worker/session_timer.c: the timer of a RELAYING session: idle and half-closed connections, and checks of ends for which no event would come. Worker thread;
 * owns nothing beyond the session. */
#include "worker/context.h"
#include "worker/reconnect.h"
#include "worker/relay.h"
#include "worker/session.h"

enum { LOOK_MS = 500 }; /* interval of the checks of ends on which nothing is in flight */

void session_touch(struct session *session)
{
    session->active_ns = session->worker->io->now_ns;
}

void session_touch_at(struct session *session, uint64_t at_ns)
{
    if (at_ns > session->active_ns)
        session->active_ns = at_ns;
}

/* Whether one side has sent FIN or has stopped reading. */
static bool half_closed(const struct session *session)
{
    for (int source = CLIENT; source <= BACKEND; source++) {
        if (session->directions[source].phase == DIRECTION_ENDED || session->directions[source].phase == DIRECTION_DROP)
            return true;
    }
    return false;
}

static uint64_t idle_limit_ms(const struct session *session)
{
    uint64_t idle_ms = session_settings(session)->idle_timeout_ms;

    return half_closed(session) && session_settings(session)->half_close_timeout_ms < idle_ms ? session_settings(session)->half_close_timeout_ms : idle_ms;
}

void session_arm(struct session *session)
{
    uint64_t due_ms = session->active_ns / 1000000 + idle_limit_ms(session);
    uint64_t look_ms = worker_now_ms(session->worker) + LOOK_MS;

    if (session->looked_after && look_ms < due_ms)
        due_ms = look_ms;
    timer_arm(&session->worker->timers, &session->timer, due_ms);
}

/* Whether a direction does not read at present, so that nothing is in flight on its source. */
static bool needs_looking_after(const struct session *session)
{
    for (int source = CLIENT; source <= BACKEND; source++) {
        const struct direction *direction = &session->directions[source];

        if (direction->phase == DIRECTION_ENDED || (!direction->receiving && !direction->polling_in))
            return true;
    }
    return false;
}

void session_look_after(struct session *session)
{
    if (session->looked_after || session->state != SESSION_RELAYING)
        return;
    session->looked_after = true;
    session_arm(session);
}

/* Moves the session to ABORTING if an end is gone. Bytes that it sent before may still be unread in its socket: that direction continues. */
static bool look_after(struct session *session)
{
    for (enum side side = CLIENT; side <= BACKEND; side++) {
        int error = io_broken(session->worker->io, &session->ends[side].sock);

        if (!error || (side == BACKEND && reconnect_awaits(session, error)))
            continue;
        session->ends[side].error = error;
        session_abort(session, side);
        return true;
    }
    return false;
}

/* The side that was expected to act: to read, to close, or to send next. */
static enum session_end idle_reason(const struct session *session)
{
    if (!relay_flushed(&session->directions[CLIENT]))
        return END_BACKEND_IDLE;
    if (!relay_flushed(&session->directions[BACKEND]))
        return END_CLIENT_IDLE;
    if (session->directions[CLIENT].phase == DIRECTION_ENDED)
        return END_BACKEND_IDLE;
    if (session->directions[BACKEND].phase == DIRECTION_ENDED)
        return END_CLIENT_IDLE;
    return session->last_source == CLIENT ? END_BACKEND_IDLE : END_CLIENT_IDLE;
}

/* The timer is not rearmed for every byte. When it fires early, it is armed for the remaining time. */
void session_idle_timer(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);

    if (worker_now_ms(session->worker) >= session->active_ns / 1000000 + idle_limit_ms(session)) {
        session_give_up(session, idle_reason(session));
        return;
    }
    session->looked_after = needs_looking_after(session);
    if (!session->looked_after || !look_after(session))
        session_arm(session);
}
