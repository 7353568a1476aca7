/* worker/session_log.c: writes log lines about ended sessions. Worker thread; owns nothing. */
#include "worker/session_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "table/backend.h"
#include "worker/context.h"
#include "worker/session.h"

static const struct {
    const char *code, *text;
} ends[] = {
    [END_NORMAL] = {"--", "both sides closed"},
    [END_CLIENT_GONE] = {"CD", "client reset the connection"},
    [END_CLIENT_LEFT] = {"CC", "client reset the connection before a backend was connected"},
    [END_BACKEND_GONE] = {"SD", "backend reset the connection"},
    [END_NO_ANSWER] = {"SH", "backend closed the connection before it answered"},
    [END_CLIENT_IDLE] = {"cD", "client was silent too long"},
    [END_BACKEND_IDLE] = {"sD", "backend was silent too long"},
    [END_FIRST_BYTE_TIMEOUT] = {"sH", "backend did not send its first byte in time"},
    [END_LIFETIME] = {"PD", "reached its lifetime"},
    [END_CONNECT_REFUSED] = {"SC", "no backend took the connection"},
    [END_CONNECT_TIMEOUT] = {"sC", "connecting to the backend took too long"},
    [END_NO_BACKEND] = {"PC", "no backend is up and below its limit"},
    [END_NO_RESOURCES] = {"RC", "out of descriptors, memory or ports"},
    [END_BACKEND_DOWN] = {"DD", "backend is down or in maintenance, and on_down = close"},
    [END_BACKEND_DRAINED] = {"KD", "drain_timeout of the backend is over"},
    [END_FAILBACK] = {"UD", "backend is a backup, another one is up again, and on_failback = close"},
    [END_KILLED] = {"KD", "closed by the administrator"},
    [END_STOPPED] = {"KD", "stopped before it had ended"},
};
_Static_assert(sizeof(ends) / sizeof(ends[0]) == END_REASONS, "every reason has words");

/* Whether no backend could be connected before the end. Otherwise somebody else ended it first. */
static bool was_unserved(const struct session *session)
{
    return !session->connected_ns && session->end != END_STOPPED && session->end != END_KILLED && session->end != END_CLIENT_LEFT;
}

static void warn_unserved(const struct session *session, const struct lease *lease, const char *client)
{
    char last[ADDR_TEXT_BYTES + 300] = "none was tried", addr[ADDR_TEXT_BYTES];

    if (session->attempts)
        (void)snprintf(last, sizeof(last), "%u tried, the last %s %s: %s", session->attempts, session->failed->name,
                       addr_format(&session->failed->addr, addr, sizeof(addr)), strerrorname_np(session->last_error));
    log_warn("listener %s: session " SESSION_NUMBER ": client %s was not served by pool %s: %s (%s); reported at most once a second",
             lease->listener->name, SESSION_NUMBER_OF(session), client, lease->pool->name, ends[session->end].text, last);
}

void session_log(struct session *session, const struct lease *lease)
{
    const struct worker *worker = session->worker;
    bool unserved = was_unserved(session);
    const struct backend *backend = lease->backend ? lease->backend : session->failed;
    char client[ADDR_TEXT_BYTES], addr[ADDR_TEXT_BYTES] = "-", connect[24] = "-";

    if (!unserved && !log_access_enabled())
        return;
    (void)addr_format(&session->client, client, sizeof(client));
    if (unserved && worker_may_complain(session->worker, COMPLAINT_UNSERVED))
        warn_unserved(session, lease, client);
    if (!log_access_enabled())
        return;
    if (backend)
        (void)addr_format(&backend->addr, addr, sizeof(addr));
    if (session->connected_ns)
        (void)snprintf(connect, sizeof(connect), "%" PRIu64, (session->connected_ns - session->accepted_ns) / 1000000);
    log_access("session=" SESSION_NUMBER " client=%s listener=%s pool=%s backend=%s addr=%s worker=%u connect_ms=%s duration_ms=%" PRIu64
               " bytes_in=%" PRIu64 " bytes_out=%" PRIu64 " tries=%u replayed=%u end=%s reason=\"%s\"",
               SESSION_NUMBER_OF(session), client, lease->listener->name, lease->pool->name,
               backend ? backend->name : "-", addr, worker->index, connect,
               (worker->io->now_ns - session->accepted_ns) / 1000000, session->directions[CLIENT].bytes, session->directions[BACKEND].bytes,
               session->attempts + (session->connected_ns ? 1u : 0u), session->replays, ends[session->end].code, ends[session->end].text);
}
