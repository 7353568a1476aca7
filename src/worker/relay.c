/* worker/relay.c: decides what a direction does next: receive, splice, pass FIN on, or stop. Worker thread; owns nothing beyond the session.
 *
 * Small messages are copied and bulk data is spliced. Each direction decides this while it runs.
 *   Input: whether the last receive filled its buffer of 16 KiB; how much a turn of splicing moved; traffic.chatty (worker/traffic.h); `splice` of the pool.
 *   Output: copy or splice, decided only while the direction is at rest.
 *
 *     copy -> splice:  a receive filled its buffer, and more bytes followed; and the worker's traffic is not chatty
 *     splice -> copy:  three turns in a row moved at most 16 KiB each; or the traffic is chatty; or no pipe is available; or the source has ended
 *
 *   Example: messages of 20 KiB. The first receive has 16 KiB, the second 4 KiB: bulk. The direction is then spliced, each turn moves 20 KiB, and it stays so.
 *   Messages of 200 bytes follow: after three of them the direction copies again. Messages of exactly 16 KiB change between both, which costs the same.
 *   Constants: a message that fits into a buffer costs no more to copy than the two calls of a splice; one that needs a second buffer costs half as much
 *   spliced.
 *   Saves: rows echo-20k, echo-64k and bulk, which cost 1.96, 2.90 and 5.05 times the CPU time without splicing; row echo-128-64, 1.02 to 1.25 times if always
 *   spliced. While there are many small messages, bulk data is copied too: it then moves in smaller pieces, between which the small messages pass, and it
 *   keeps client and server less busy (row mixed: p50 of small messages 6.2 times as long without this rule). */
#include "worker/relay.h"

#include <assert.h>
#include <errno.h>

#include "table/backend.h"
#include "worker/context.h"
#include "worker/outcome.h"
#include "worker/reconnect.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/tally.h"
#include "worker/tap.h"

static struct direction *direction_reverse(struct direction *direction)
{
    return &session_of_direction(direction)->directions[!direction->source];
}

bool relay_flushed(const struct direction *direction)
{
    return !direction->sending && !direction->held.first && direction->pipe.bytes == 0 && !(direction->tap && direction->tap->held.first);
}

void relay_start(struct session *session)
{
    for (int source = CLIENT; source <= BACKEND && session->state != SESSION_CLOSING; source++) {
        struct direction *direction = &session->directions[source];

        if (direction->phase == DIRECTION_BROKEN) /* starting the first direction may show that the source of the second is gone */
            continue;
        relay_copy_push(direction);
        if (direction->sending) /* a tap has injected bytes */
            session_look_after(session);
    }
}

bool relay_may_splice(struct direction *direction)
{
    const struct session *session = session_of_direction(direction);

    if (direction->never_splice || session_settings(session)->splice == CONFIG_SPLICE_NEVER)
        return false;
    return session_settings(session)->splice == CONFIG_SPLICE_ALWAYS || !session->worker->traffic.chatty;
}

void relay_resume(struct direction *direction)
{
    bool bulk = direction->bulk || session_settings(session_of_direction(direction))->splice == CONFIG_SPLICE_ALWAYS;

    assert(!direction->sending && !direction->held.first && direction->pipe.bytes == 0);
    assert(!direction->receiving && !direction->polling_in && !direction->polling_out);
    if (direction->phase == DIRECTION_TAPPED)
        relay_copy_tapped(direction);
    else if (bulk && relay_may_splice(direction))
        relay_splice_start(direction);
    else
        relay_copy_start(direction);
}

/* The first bytes have come from the backend. */
static void answer_began(struct session *session)
{
    outcome_first_byte(session);
    tally_first_byte(session);
    session->first_byte_ns = session->worker->io->now_ns;
    replay_end(&session->directions[CLIENT]);
    if (session->state == SESSION_RELAYING && session->ends[BACKEND].error) /* reconnect_awaits() was told of it */
        session_abort(session, BACKEND);
}

void relay_took(struct direction *direction, uint32_t bytes)
{
    struct session *session = session_of_direction(direction);

    if (direction->bytes == 0 && direction->source == BACKEND)
        answer_began(session);
    direction->bytes += bytes;
    direction->streamed = direction->streamed > UINT32_MAX - bytes ? UINT32_MAX : direction->streamed + bytes;
    direction_reverse(direction)->streamed = 0;
    session->last_source = direction->source;
    session_touch(session);
    if (direction->source == BACKEND)
        backend_note_bytes(session->lease.backend, session->worker->io->now_ns);
}

/* Passes FIN from the source on to the destination. */
static void pass_end(struct direction *direction)
{
    struct session *session = session_of_direction(direction);
    int result;

    if (direction_reverse(direction)->phase == DIRECTION_ENDED) { /* closing the socket sends FIN: nothing unread is left in it */
        direction_move(direction, DIRECTION_ENDED);
        session_end(session, END_NORMAL, 0);
        return;
    }
    result = io_shutdown(session->worker->io, &direction_destination(direction)->sock);
    if (result < 0) { /* ENOTCONN: the destination was reset a moment ago */
        relay_destination_failed(direction, -result);
        return;
    }
    direction_move(direction, DIRECTION_ENDED);
    session_touch(session); /* half_close_timeout counts from now on */
    session->looked_after = true;
    session_arm(session);
}

void relay_drained(struct direction *direction)
{
    struct session *session = session_of_direction(direction);

    switch (direction->phase) {
    case DIRECTION_COPY:
    case DIRECTION_TAPPED:
    case DIRECTION_SPLICE:
        if (!direction->receiving)
            relay_resume(direction);
        break;
    case DIRECTION_ENDING:
        if (direction->tap && direction->tap->held.first)
            break;
        tap_drained(direction);
        if (session->state == SESSION_ABORTING)
            session_abort_progress(session);
        else
            pass_end(direction);
        break;
    default: /* nothing to do */
        break;
    }
}

void relay_source_ended(struct direction *direction)
{
    if (direction->phase == DIRECTION_BROKEN)
        return;
    if (direction->source == BACKEND) {
        outcome_backend_closed(session_of_direction(direction));
        if (reconnect_after_fin(session_of_direction(direction)))
            return;
    }
    direction_move(direction, DIRECTION_ENDING);
    if (direction->tap && !tap_ended(direction))
        return;
    relay_copy_push(direction);
    if (!relay_flushed(direction))
        session_look_after(session_of_direction(direction));
}

void relay_source_broke(struct direction *direction, int error)
{
    struct session *session = session_of_direction(direction);
    struct end *source = direction_source(direction);

    if (direction->source == BACKEND && reconnect_awaits(session, error))
        return;
    if (!source->error)
        source->error = error;
    if (session->state == SESSION_RELAYING)
        session_abort(session, direction->source);
}

void relay_source_failed(struct direction *direction, int error)
{
    struct session *session = session_of_direction(direction);
    struct end *source = direction_source(direction);

    if (!source->error)
        source->error = error;
    if (direction->phase == DIRECTION_BROKEN) { /* both ends are gone */
        session_end(session, session->end, 1u << CLIENT | 1u << BACKEND);
        return;
    }
    if (direction->source == BACKEND && reconnect_start(session, END_BACKEND_GONE, source->error))
        return;
    direction_move(direction, DIRECTION_ENDING);
    if (direction->tap && !tap_ended(direction))
        return;
    if (session->state == SESSION_RELAYING)
        session_abort(session, direction->source);
    if (session->state == SESSION_ABORTING)
        relay_copy_push(direction);
}

static void release_direction(struct direction *direction)
{
    struct worker *worker = session_of_direction(direction)->worker;

    tap_free(direction);
    buffer_queue_clear(&direction->held, &worker->io->buffers);
    pipe_pool_give(&worker->pipes, &direction->pipe);
}

void relay_release(struct session *session)
{
    for (int source = CLIENT; source <= BACKEND; source++)
        release_direction(&session->directions[source]);
}

void relay_break(struct direction *direction)
{
    direction_move(direction, DIRECTION_BROKEN);
    release_direction(direction);
}

/* Whether a failed send only means that the destination has stopped reading. A UNIX socket reports that its peer has shut down reading, and the peer may still
 * answer and end normally. Over TCP, the kernel of such a server accepts the bytes and drops them; here Penstock drops them. A peer that has closed its socket
 * looks the same, and half_close_timeout ends its session. */
static bool only_stopped_reading(struct direction *direction, int error)
{
    const struct session *session = session_of_direction(direction);
    const struct addr *destination = direction->source == CLIENT ? &session->lease.backend->addr : &session->client;

    return error == EPIPE && addr_family(destination) == AF_UNIX;
}

/* If the backend has not answered, its receive shows whether it has died or may still answer. Until then, bytes for it are dropped; they are kept for another
 * backend. Returns false if there can be no other one. */
static bool await_answer(struct direction *direction, int error)
{
    struct session *session = session_of_direction(direction);
    bool may_be_alive = only_stopped_reading(direction, error);

    if (may_be_alive ? !reconnect_possible(session) : !reconnect_awaits(session, error))
        return false;
    buffer_queue_clear(&direction->held, &session->worker->io->buffers);
    session_touch(session);
    if (may_be_alive)
        relay_drained(direction);
    return true;
}

/* Bytes that the destination sent before it left may still be unread: if a server answers early and closes, the next send fails, but its answer must not be
 * lost. The session therefore becomes ABORTING, and the other direction continues to its end as long as its own destination makes progress
 * (session_abort_progress()). */
void relay_destination_failed(struct direction *direction, int error)
{
    struct session *session = session_of_direction(direction);
    struct end *destination = direction_destination(direction);

    if (direction->phase == DIRECTION_BROKEN) /* already known */
        return;
    if (direction->source == CLIENT && await_answer(direction, error))
        return;
    if (session->state == SESSION_RELAYING && only_stopped_reading(direction, error)) {
        release_direction(direction);
        if (direction->phase == DIRECTION_ENDING) {
            relay_drained(direction);
        } else {
            relay_copy_drop(direction);
            session_touch(session); /* half_close_timeout counts from now on */
            session_arm(session);
        }
        return;
    }
    if (!destination->error)
        destination->error = error;
    if (session->state == SESSION_RELAYING) {
        session_abort(session, !direction->source);
    } else { /* the other end is gone too */
        relay_break(direction);
        session_end(session, session->end, 1u << CLIENT | 1u << BACKEND);
    }
}

void relay_release_sent(struct direction *direction)
{
    if (!direction->sending)
        return;
    buffer_free(&session_of_direction(direction)->worker->io->buffers, direction->sending);
    direction->sending = NULL;
}

const struct io_events relay_events = {
    .connected = session_never_connected,
    .received = relay_copy_received,
    .rest = relay_copy_rest,
    .sent = relay_copy_sent,
    .readable = relay_splice_readable,
    .writable = relay_splice_writable,
    .closed = session_never_closed,
};

const struct session_handlers relay_handlers = {.events = &relay_events, .timer = session_timer_fired};
