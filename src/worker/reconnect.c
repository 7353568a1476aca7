/* worker/reconnect.c: the state RECONNECTING of a session: its backend has died before it answered, and another one gets what the client has sent. Worker
 * thread; owns nothing beyond the session. */
#include "worker/reconnect.h"

#include <assert.h>
#include <errno.h>

#include "worker/connect.h"
#include "worker/context.h"
#include "worker/outcome.h"
#include "worker/relay.h"
#include "worker/replay.h"
#include "worker/tally.h"
#include "worker/tap.h"

bool reconnect_possible(const struct session *session)
{
    const struct direction *request = &session->directions[CLIENT], *answer = &session->directions[BACKEND];
    bool unsent = request->bytes == 0 && request->phase == DIRECTION_COPY && !request->tap;
    bool unanswered = answer->bytes == 0 && !answer->tap && (answer->phase == DIRECTION_COPY || answer->phase == DIRECTION_SPLICE);

    return session->state == SESSION_RELAYING && unanswered && (unsent || replay_is_kept(request)) && !session->ends[CLIENT].error &&
           connect_may_retry(session);
}

static void reset_answer(struct direction *answer)
{
    assert(!answer->sending && !answer->held.first && answer->pipe.fds[0] < 0);
    if (answer->phase != DIRECTION_COPY)
        direction_move(answer, DIRECTION_COPY);
    answer->receiving = answer->polling_in = answer->was_readable = answer->never_splice = false;
}

bool reconnect_start(struct session *session, enum session_end reason, int error)
{
    const struct worker *worker = session->worker;
    struct direction *request = &session->directions[CLIENT];
    struct buffer_queue again = {0};

    if (!reconnect_possible(session))
        return false;
    if (replay_is_kept(request) && replay_copy(request, &again) < 0)
        return false;
    session->resends = again.first;
    if (reason == END_BACKEND_GONE)
        outcome_backend_gone(session);
    buffer_queue_clear(&request->held, &worker->io->buffers);
    request->held = again;
    if (request->phase == DIRECTION_ENDED)
        direction_move(request, DIRECTION_ENDING);
    reset_answer(&session->directions[BACKEND]);
    session->ends[BACKEND].error = 0;
    session->connected_ns = 0;
    session->connecting_ms = (uint32_t)((worker->io->now_ns - session->accepted_ns) / 1000000);
    session_move(session, SESSION_RECONNECTING);
    tally_replayed(session);
    connect_failed(session, reason, error, true);
    return true;
}

bool reconnect_after_fin(struct session *session)
{
    const struct direction *request = &session->directions[CLIENT];

    if (!replay_is_kept(request) || request->phase == DIRECTION_ENDED) /* the backend has got FIN too: its own may be all that the client expects */
        return false;
    if (request->bytes == 0 && session->worker->io->now_ns - session->connected_ns >= OUTCOME_AT_ONCE_NS)
        return false;
    return reconnect_start(session, END_NO_ANSWER, ENODATA);
}

bool reconnect_awaits(struct session *session, int error)
{
    if (connect_lacks_resources(error) || !reconnect_possible(session))
        return false;
    session->ends[BACKEND].error = error;
    return true;
}

/* ---- the client, while there is no backend ---- */

static bool on_received(struct io_sock *sock, struct buffer *buffer)
{
    struct direction *request = direction_from(sock);

    request->bytes += buffer_length(buffer);
    replay_keep(request, buffer);
    return buffer_queue_put(&request->held, buffer);
}

static void on_rest(struct io_sock *sock, enum io_rest why, int error)
{
    struct direction *request = direction_from(sock);

    request->receiving = false;
    if (why == IO_REST_EOF)
        direction_move(request, DIRECTION_ENDING);
    else if (why == IO_REST_ERROR)
        connect_client_left(session_of_sock(sock), error);
}

static const struct io_events reconnecting_events = {
    .connected = connect_connected,
    .received = on_received,
    .rest = on_rest,
    .sent = session_never_sent,
    .readable = session_never_ready,
    .writable = session_never_ready,
    .closed = connect_closed,
};

const struct session_handlers reconnect_handlers = {.events = &reconnecting_events, .timer = connect_timer};
