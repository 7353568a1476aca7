/* worker/tally.c: counts what sessions and flows do. Worker thread; owns nothing. */
#include "worker/tally.h"

#include "table/backend.h"
#include "table/counters.h"
#include "table/listener.h"
#include "worker/context.h"
#include "worker/session.h"
#include "worker/session_log.h"
#include "worker/udp_flow.h"

static uint64_t now_ns(const struct session *session)
{
    return session->worker->io->now_ns;
}

/* The backend that has the session or had it last: after a failure in RECONNECTING, there is no lease on it any more. NULL: there was none. */
static struct backend *last_backend(const struct session *session)
{
    return session->lease.backend ? session->lease.backend : session->failed;
}

/* Adds to a count of a listener and to that of a backend. NULL: there is none. */
static void add_bytes(struct stats_traffic *listener, struct stats_traffic *backend, int direction, uint64_t bytes)
{
    stats_add(&listener->bytes[direction], bytes);
    if (backend)
        stats_add(&backend->bytes[direction], bytes);
}

void tally_session_began(struct session *session)
{
    stats_add(&session->lease.listener->stats.traffic.sessions, 1);
}

void tally_client_refused(struct listener *listener)
{
    stats_add(&listener->stats.refused[REPORT_REFUSED_NO_RESOURCES], 1);
}

void tally_connected(struct session *session)
{
    struct stats_traffic *traffic = &session->lease.backend->stats.traffic;

    stats_add(&traffic->sessions, 1);
    stats_note_time(&traffic->connect, now_ns(session) - session->active_ns);
}

void tally_first_byte(struct session *session)
{
    stats_note_time(&session->lease.backend->stats.traffic.first_byte, now_ns(session) - session->connected_ns);
}

void tally_connect_failed(struct session *session)
{
    stats_add(&session->lease.backend->stats.connect_failures, 1);
}

void tally_retried(struct session *session)
{
    stats_add(&session->lease.backend->stats.retries, 1);
}

void tally_replayed(struct session *session)
{
    stats_add(&session->lease.backend->stats.replays, 1);
    stats_add(&session->lease.backend->stats.traffic.sessions_failed, 1);
}

void tally_session_bytes(struct session *session)
{
    struct backend *backend = last_backend(session);

    for (int source = CLIENT; source <= BACKEND; source++) {
        uint64_t bytes = session->directions[source].bytes - session->counted_bytes[source];

        if (bytes == 0)
            continue;
        add_bytes(&session->lease.listener->stats.traffic, backend ? &backend->stats.traffic : NULL, source, bytes);
        counters_add(&session->worker->counters->bytes[source], bytes);
        session->counted_bytes[source] += bytes;
    }
}

/* Whether a session that was connected has ended by the fault of its backend. */
static bool is_backends_fault(enum session_end end)
{
    return end == END_BACKEND_GONE || end == END_NO_ANSWER || end == END_FIRST_BYTE_TIMEOUT;
}

static void count_refusal(struct listener *listener, enum session_end end)
{
    if (end == END_NO_BACKEND)
        stats_add(&listener->stats.refused[REPORT_REFUSED_NO_BACKEND], 1);
    else if (end == END_NO_RESOURCES)
        stats_add(&listener->stats.refused[REPORT_REFUSED_NO_RESOURCES], 1);
    else if (end == END_CONNECT_REFUSED || end == END_CONNECT_TIMEOUT)
        stats_add(&listener->stats.refused[REPORT_REFUSED_CONNECT], 1);
}

void tally_session_ended(struct session *session)
{
    struct listener *listener = session->lease.listener;
    uint64_t duration_ns = now_ns(session) - session->accepted_ns;

    counters_add(&session->worker->counters->ended, 1);
    stats_add(&listener->stats.ends[session_end_code(session->end)], 1);
    stats_note_time(&listener->stats.traffic.session, duration_ns);
    if (!session->connected_ns) {
        counters_add(&session->worker->counters->failed, 1);
        stats_add(&listener->stats.traffic.sessions_failed, 1);
        count_refusal(listener, session->end);
        return;
    }
    stats_note_time(&session->lease.backend->stats.traffic.session, duration_ns);
    if (is_backends_fault(session->end))
        stats_add(&session->lease.backend->stats.traffic.sessions_failed, 1);
}

/* ---- flows ---- */

void tally_flow_began(struct flow *flow)
{
    counters_add(&flow->worker->counters->flows, 1);
    stats_add(&flow->lease.listener->stats.traffic.flows, 1);
    stats_add(&flow->lease.backend->stats.traffic.flows, 1);
}

/* The worker's own block has counted each batch. */
void tally_flow_bytes(struct flow *flow)
{
    struct stats_traffic *listener = &flow->lease.listener->stats.traffic, *backend = &flow->lease.backend->stats.traffic;

    for (int i = 0; i < 2; i++) {
        uint64_t datagrams = flow->datagrams[i] - flow->counted_datagrams[i];

        if (datagrams == 0)
            continue;
        add_bytes(listener, backend, i, flow->bytes[i] - flow->counted_bytes[i]);
        stats_add(&listener->datagrams[i], datagrams);
        stats_add(&backend->datagrams[i], datagrams);
        flow->counted_datagrams[i] = flow->datagrams[i];
        flow->counted_bytes[i] = flow->bytes[i];
    }
}

void tally_flow_ended(struct flow *flow)
{
    tally_flow_bytes(flow);
    stats_add(&flow->lease.listener->stats.ends[udp_flow_end_code(flow->end)], 1);
}
