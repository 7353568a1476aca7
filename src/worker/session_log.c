/* worker/session_log.c: writes the access log's lines about sessions, and warnings of those that were not served. Worker thread; owns nothing. */
#include "worker/session_log.h"

#include <stdio.h>
#include <string.h>

#include "log/access.h"
#include "log/log.h"
#include "table/backend.h"
#include "worker/context.h"
#include "worker/session.h"

static const struct {
    enum report_end code;
    const char *text;
} ends[] = {
    [END_NORMAL] = {REPORT_END_NORMAL, "both sides closed"},
    [END_CLIENT_GONE] = {REPORT_END_CD, "client reset the connection"},
    [END_CLIENT_LEFT] = {REPORT_END_CC, "client reset the connection before a backend was connected"},
    [END_BACKEND_GONE] = {REPORT_END_SD, "backend reset the connection"},
    [END_NO_ANSWER] = {REPORT_END_SH, "backend closed the connection before it answered"},
    [END_CLIENT_IDLE] = {REPORT_END_CLIENT_IDLE, "client was silent too long"},
    [END_BACKEND_IDLE] = {REPORT_END_BACKEND_IDLE, "backend was silent too long"},
    [END_FIRST_BYTE_TIMEOUT] = {REPORT_END_NO_FIRST_BYTE, "backend did not send its first byte in time"},
    [END_LIFETIME] = {REPORT_END_PD, "reached its lifetime"},
    [END_CONNECT_REFUSED] = {REPORT_END_SC, "no backend took the connection"},
    [END_CONNECT_TIMEOUT] = {REPORT_END_CONNECT_TIMEOUT, "connecting to the backend took too long"},
    [END_NO_BACKEND] = {REPORT_END_PC, "no backend is up and below its limit"},
    [END_NO_RESOURCES] = {REPORT_END_RC, "out of descriptors, memory or ports"},
    [END_BACKEND_DOWN] = {REPORT_END_DD, "backend is down or in maintenance, and on_down = close"},
    [END_BACKEND_DRAINED] = {REPORT_END_KD, "drain_timeout of the backend is over"},
    [END_FAILBACK] = {REPORT_END_UD, "backend is a backup, another one is up again, and on_failback = close"},
    [END_KILLED] = {REPORT_END_KD, "closed by the administrator"},
    [END_STOPPED] = {REPORT_END_KD, "stopped before it had ended"},
};
_Static_assert(sizeof(ends) / sizeof(ends[0]) == END_REASONS, "every reason has words");

enum report_end session_end_code(enum session_end reason)
{
    return ends[reason].code;
}

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

/* Fills what is known of the session at present. `lease` is what it holds, or held. */
static void collect_values(struct access_record *record, const struct session *session, const struct lease *lease, const struct io_tcp_info legs[2])
{
    const struct backend *backend = lease->backend ? lease->backend : session->failed;

    *record = (struct access_record){
        .number = session->number,
        .worker = session->worker->index,
        .tries = session->attempts + (session->connected_ns ? 1u : 0u),
        .replays = session->replays,
        .connect_us = session->connected_ns ? (session->connected_ns - session->accepted_ns) / 1000 : ACCESS_UNKNOWN,
        .first_byte_us = session->first_byte_ns ? (session->first_byte_ns - session->connected_ns) / 1000 : ACCESS_UNKNOWN,
        .duration_us = (session->worker->io->now_ns - session->accepted_ns) / 1000,
        .has_legs = session->worker->shared->access.tcp_info,
        .client = session->client,
    };
    for (int side = CLIENT; side <= BACKEND; side++) {
        record->bytes[side] = session->directions[side].bytes;
        record->spliced[side] = session->directions[side].spliced;
        record->legs[side] = (struct access_leg){
            .known = legs[side].rtt_us > 0, .rtt_us = legs[side].rtt_us, .retransmits = legs[side].retransmits};
    }
    access_name(record->listener, lease->listener->name);
    access_name(record->pool, lease->pool->name);
    if (!backend)
        return;
    access_name(record->backend, backend->name);
    record->addr = backend->addr;
}

/* Whether the end of the session has a line. */
static bool end_is_logged(const struct session *session)
{
    return session->end == END_NORMAL ? access_log_samples(session->worker, session->number) : log_access_enabled();
}

/* Reads what the kernel knows about both connections. */
static void read_legs(struct session *session, struct io_tcp_info legs[2])
{
    for (enum side side = CLIENT; side <= BACKEND; side++) {
        if (!session_tcp_info(session, side, &legs[side]))
            legs[side] = (struct io_tcp_info){0};
    }
}

void session_log_prepare(struct session *session)
{
    session->legs[CLIENT] = session->legs[BACKEND] = (struct io_tcp_info){0}; /* they shared their memory with counts */
    if (session->worker->shared->access.tcp_info && end_is_logged(session))
        read_legs(session, session->legs);
}

void session_log_note(struct session *session, enum access_event event)
{
    struct access_record record;
    struct io_tcp_info legs[2] = {{0}};

    if (!access_log_samples(session->worker, session->number))
        return;
    if (session->worker->shared->access.tcp_info)
        read_legs(session, legs);
    collect_values(&record, session, &session->lease, legs);
    record.event = (uint8_t)event;
    log_access(&record);
}

void session_log(struct session *session, const struct lease *lease)
{
    bool unserved = was_unserved(session);
    struct access_record record;
    char client[ADDR_TEXT_BYTES];

    if (unserved && worker_may_complain(session->worker, COMPLAINT_UNSERVED))
        warn_unserved(session, lease, addr_format(&session->client, client, sizeof(client)));
    if (!end_is_logged(session))
        return;
    collect_values(&record, session, lease, session->legs);
    record.event = ACCESS_END;
    record.end = report_end_word(ends[session->end].code);
    record.reason = ends[session->end].text;
    log_access(&record);
}
