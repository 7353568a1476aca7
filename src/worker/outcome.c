/* worker/outcome.c: judges sessions for the ejection of backends. Worker thread; owns nothing. */
#include "worker/outcome.h"

#include <errno.h>

#include "table/backend.h"
#include "worker/context.h"
#include "worker/session.h"

static void note_failure(struct session *session, enum backend_failure what, int error)
{
    const struct worker_shared *shared = session->worker->shared;

    if (backend_note_failure(session->lease.backend, what, error) && shared->tell_of_failure)
        shared->tell_of_failure(shared->health);
}

/* Whether the backend has sent bytes on other sessions while this one waited for it. At the start of an attempt to connect, active_ns is set, too. */
static bool backend_is_busy(const struct session *session)
{
    return backend_heard_ns(session->lease.backend) > session->active_ns;
}

void outcome_connect_failed(struct session *session, int error)
{
    if (error == ETIMEDOUT && backend_is_busy(session))
        return;
    note_failure(session, BACKEND_CONNECT_FAILED, error);
}

void outcome_first_byte(struct session *session)
{
    backend_note_success(session->lease.backend);
}

void outcome_backend_silent(struct session *session)
{
    if (!backend_is_busy(session))
        note_failure(session, BACKEND_SILENT, 0);
}

void outcome_backend_closed(struct session *session)
{
    const struct direction *client = &session->directions[CLIENT];

    if (session->directions[BACKEND].bytes > 0)
        return;
    if (client->phase == DIRECTION_ENDED) {
        if (client->bytes > 0)
            backend_note_success(session->lease.backend);
    } else if (client->bytes > 0 || session->worker->io->now_ns - session->connected_ns < OUTCOME_AT_ONCE_NS) {
        note_failure(session, BACKEND_CLOSED, 0);
    }
}

/* If the backend had sent FIN before, outcome_backend_closed() has judged the session. */
void outcome_backend_gone(struct session *session)
{
    const struct direction *backend = &session->directions[BACKEND];

    if (backend->bytes == 0 && backend->phase != DIRECTION_ENDED)
        note_failure(session, BACKEND_RESET, session->ends[BACKEND].error);
}
