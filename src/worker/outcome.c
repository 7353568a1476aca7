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

/* At the start of an attempt, active_ns is set. */
void outcome_connect_failed(struct session *session, int error)
{
    if (error == ETIMEDOUT && backend_heard_ns(session->lease.backend) > session->active_ns)
        return;
    note_failure(session, BACKEND_CONNECT_FAILED, error);
}

void outcome_first_byte(struct session *session)
{
    backend_note_success(session->lease.backend);
}

void outcome_backend_silent(struct session *session)
{
    uint64_t timeout_ns = session_settings(session)->first_byte_timeout_ms * UINT64_C(1000000);

    if (backend_heard_ns(session->lease.backend) + timeout_ns <= session->worker->io->now_ns)
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
