/* worker/udp_log.c: writes the access log's lines about flows. Worker thread; owns nothing. */
#include "log/access.h"
#include "log/log.h"
#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/context.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

static const struct {
    enum report_end code;
    const char *text;
} ends[] = {
    [FLOW_IDLE] = {REPORT_END_NORMAL, "no datagram for udp_idle_timeout"},
    [FLOW_ANSWERED] = {REPORT_END_NORMAL, "all replies have arrived"},
    [FLOW_BACKEND_DOWN] = {REPORT_END_SD, "backend went down"},
    [FLOW_KILLED] = {REPORT_END_KD, "closed by the administrator"},
    [FLOW_STOPPED] = {REPORT_END_KD, "stopped before it had ended"},
};
_Static_assert(sizeof(ends) / sizeof(ends[0]) == FLOW_ENDS, "every reason has words");

enum report_end udp_flow_end_code(enum flow_end reason)
{
    return ends[reason].code;
}

static bool is_logged(const struct flow *flow, enum access_event event)
{
    bool normal = event != ACCESS_END || flow->end == FLOW_IDLE || flow->end == FLOW_ANSWERED;

    return normal ? access_log_samples(flow->worker, flow->number) : log_access_enabled();
}

void udp_flow_log(const struct flow *flow, enum access_event event)
{
    const struct lease *lease = &flow->lease;
    struct access_record record;
    union io_endpoint client;

    if (!is_logged(flow, event))
        return;
    record = (struct access_record){
        .number = flow->number,
        .worker = flow->worker->index,
        .event = (uint8_t)event,
        .is_flow = true,
        .duration_us = (flow->worker->io->now_ns - flow->opened_ns) / 1000,
        .bytes = {flow->bytes[0], flow->bytes[1]},
        .datagrams = {flow->datagrams[0], flow->datagrams[1]},
        .addr = lease->backend->addr,
    };
    if (event == ACCESS_END) {
        record.end = report_end_word(ends[flow->end].code);
        record.reason = ends[flow->end].text;
    }
    if (!udp_flow_is_shared(flow)) {
        udp_flow_client(flow, &client);
        record.client = udp_flow_addr(&client);
    }
    access_name(record.listener, lease->listener->name);
    access_name(record.pool, lease->pool->name);
    access_name(record.backend, lease->backend->name);
    log_access(&record);
}
