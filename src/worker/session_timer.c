/* worker/session_timer.c: the timer of a RELAYING session: its time limits, and checks of ends for which no event would come. Worker thread; owns nothing
 * beyond the session.
 *
 *   key                 applies                                                  counts from      how the session ends
 *   first_byte_timeout  while the client has sent bytes and the backend has not  last byte; with   it goes to another backend, or else RST to both sides
 *                                                                                a busy backend
 *                                                                                later: below
 *   half_close_timeout  after one side has finished sending; not while that is   last byte        RST to the side that waits for data
 *                       the client and the backend has sent nothing
 *   idle_timeout        always                                                   last byte        FIN; RST to a side that waits for data after the other's
 *                                                                                                 FIN, or that has not taken all bytes meant for it
 *   lifetime            always                                                   connected_ns     RST, unless FIN was passed on: more data may be expected
 *     lifetime_quiet    while neither side has finished sending and no bytes     also last byte   FIN to both sides: nothing is in transit
 *                       are held
 *
 * The last byte is the last one that moved in either direction: active_ns. The lifetime varies by lifetime_jitter, so that sessions that began together do
 * not end together.
 *
 * A backend that sends bytes on other sessions while one waits for its first byte is busy, not dead, and moving the request would only add to the load. So
 * first_byte_timeout counts from the last byte of any session with this backend, but a session waits for at most BUSY_TIMES times as long.
 *
 * One timer serves all limits. Bytes do not rearm it. It fires when the first limit would expire if no byte moved, and is then armed for what is left. Nor is
 * it rearmed when a byte makes another limit apply. A limit that does not apply yet therefore counts from the present, before which it cannot begin: then
 * the timer never fires too late for it. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/hash.h"
#include "table/backend.h"
#include "worker/context.h"
#include "worker/outcome.h"
#include "worker/reconnect.h"
#include "worker/relay.h"
#include "worker/session.h"

#define NEVER UINT64_MAX

enum { BUSY_TIMES = 4 };
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

/* ---- when the limits expire, if no byte moves: in ms of worker_now_ms(), or NEVER ---- */

static uint64_t last_byte_ms(const struct session *session)
{
    return session->active_ns / 1000000;
}

/* Whether FIN from the source was passed on, or the destination has stopped reading. */
static bool direction_over(const struct session *session, enum side source)
{
    return session->directions[source].phase == DIRECTION_ENDED || session->directions[source].phase == DIRECTION_DROP;
}

/* Whether the backend's first byte may still come. Bytes that are dropped are not counted, so this is false in DROP. */
static bool awaits_first_byte(const struct session *session)
{
    return session->directions[BACKEND].bytes == 0 && !direction_over(session, BACKEND);
}

static uint64_t first_byte_due_ms(const struct session *session)
{
    uint64_t timeout_ms = session_settings(session)->first_byte_timeout_ms, heard_ms, longest_ms;

    if (timeout_ms == 0 || !awaits_first_byte(session))
        return NEVER;
    if (session->directions[CLIENT].bytes == 0) /* it has not asked */
        return worker_now_ms(session->worker) + timeout_ms;
    heard_ms = backend_heard_ns(session->lease.backend) / 1000000;
    longest_ms = last_byte_ms(session) + BUSY_TIMES * timeout_ms;
    if (heard_ms <= last_byte_ms(session))
        return last_byte_ms(session) + timeout_ms;
    return heard_ms + timeout_ms < longest_ms ? heard_ms + timeout_ms : longest_ms;
}

static uint64_t half_close_due_ms(const struct session *session)
{
    bool client_waits = session->directions[CLIENT].phase == DIRECTION_ENDED && awaits_first_byte(session);

    if (!direction_over(session, CLIENT) && !direction_over(session, BACKEND)) /* session_arm() is called when one is */
        return NEVER;
    return (client_waits ? worker_now_ms(session->worker) : last_byte_ms(session)) + session_settings(session)->half_close_timeout_ms;
}

static uint64_t idle_due_ms(const struct session *session)
{
    return last_byte_ms(session) + session_settings(session)->idle_timeout_ms;
}

/* Whether FIN to both sides would cut nothing off that Penstock knows of. */
static bool may_close_in_order(const struct session *session)
{
    return !direction_over(session, CLIENT) && !direction_over(session, BACKEND) && relay_flushed(&session->directions[CLIENT]) &&
           relay_flushed(&session->directions[BACKEND]);
}

/* Uniform over lifetime * (1 +- jitter), and always the same for the same connection to a backend. Example: 1 h with 10 % is 54 to 66 minutes. */
static uint64_t own_lifetime_ms(const struct session *session, const struct pool_settings *settings)
{
    uint64_t jitter_ms = (uint64_t)settings->lifetime_ms * settings->lifetime_jitter_percent / 100;
    uint64_t seed = session->connected_ns + session->number;

    return settings->lifetime_ms - jitter_ms + (2 * jitter_ms * (random_next(&seed) >> 48) >> 16);
}

static uint64_t lifetime_due_ms(const struct session *session)
{
    const struct pool_settings *settings = session_settings(session);
    uint64_t due_ms, quiet_ms;

    if (settings->lifetime_ms == 0)
        return NEVER;
    due_ms = session->connected_ns / 1000000 + own_lifetime_ms(session, settings);
    if (settings->lifetime_quiet_ms == 0)
        return due_ms;
    quiet_ms = (may_close_in_order(session) ? last_byte_ms(session) : worker_now_ms(session->worker)) + settings->lifetime_quiet_ms;
    return quiet_ms > due_ms ? quiet_ms : due_ms;
}

/* ---- how a session ends by a limit ---- */

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

static void end_idle(struct session *session)
{
    session_give_up(session, idle_reason(session));
}

/* The backend took the connection, and does not answer or does not read what the client sends. The client has received nothing, so another backend gets the
 * request if it was kept. */
static void end_unanswered(struct session *session)
{
    outcome_backend_silent(session);
    if (!reconnect_start(session, END_FIRST_BYTE_TIMEOUT, ETIMEDOUT))
        session_end(session, END_FIRST_BYTE_TIMEOUT, 1u << CLIENT | 1u << BACKEND);
}

static void end_lifetime(struct session *session)
{
    if (session_settings(session)->lifetime_quiet_ms > 0)
        session_end(session, END_LIFETIME, 0);
    else
        session_give_up(session, END_LIFETIME);
}

/* ---- the timer ---- */

/* If several expire at the same time, the first of these counts. */
static const struct time_limit {
    uint64_t (*due_ms)(const struct session *session);
    void (*end)(struct session *session);
} time_limits[] = {
    {first_byte_due_ms, end_unanswered},
    {half_close_due_ms, end_idle},
    {idle_due_ms, end_idle},
    {lifetime_due_ms, end_lifetime},
};

/* Returns the limit that expires first, and sets `*due_ms` to when. */
static const struct time_limit *find_next_limit(const struct session *session, uint64_t *due_ms)
{
    const struct time_limit *next = NULL;

    *due_ms = NEVER;
    for (size_t i = 0; i < sizeof(time_limits) / sizeof(time_limits[0]); i++) {
        uint64_t limit_ms = time_limits[i].due_ms(session);

        if (limit_ms >= *due_ms)
            continue;
        *due_ms = limit_ms;
        next = &time_limits[i];
    }
    assert(next); /* idle_timeout always applies */
    return next;
}

void session_arm(struct session *session)
{
    uint64_t due_ms, look_ms = worker_now_ms(session->worker) + LOOK_MS;

    (void)find_next_limit(session, &due_ms);
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

void session_timer_fired(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);
    uint64_t due_ms;
    const struct time_limit *limit = find_next_limit(session, &due_ms);

    if (worker_now_ms(session->worker) >= due_ms) {
        limit->end(session);
        return;
    }
    session->looked_after = needs_looking_after(session);
    if (!session->looked_after || !look_after(session))
        session_arm(session);
}
