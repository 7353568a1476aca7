/* worker/udp_log.c: writes the access log's lines about ended flows. Worker thread; owns nothing. */
#include <inttypes.h>

#include "log/log.h"
#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/context.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

static const struct {
    const char *code, *text;
} ends[] = {
    [FLOW_IDLE] = {"--", "no datagram for udp_idle_timeout"},
    [FLOW_ANSWERED] = {"--", "all replies have arrived"},
    [FLOW_BACKEND_DOWN] = {"SD", "backend went down"},
    [FLOW_KILLED] = {"KD", "closed by the administrator"},
    [FLOW_STOPPED] = {"KD", "stopped before it had ended"},
};
_Static_assert(sizeof(ends) / sizeof(ends[0]) == FLOW_ENDS, "every reason has words");

void udp_flow_log(const struct flow *flow)
{
    char client[ADDR_TEXT_BYTES] = "-", backend[ADDR_TEXT_BYTES];
    struct addr addr;
    union io_endpoint endpoint;

    if (!log_access_enabled())
        return;
    if (!udp_flow_is_shared(flow)) {
        udp_flow_client(flow, &endpoint);
        addr = udp_flow_addr(&endpoint);
        (void)addr_format(&addr, client, sizeof(client));
    }
    log_access("flow=" FLOW_NUMBER " client=%s listener=%s pool=%s backend=%s addr=%s worker=%u duration_ms=%" PRIu64 " datagrams_in=%" PRIu64
               " datagrams_out=%" PRIu64 " bytes_in=%" PRIu64 " bytes_out=%" PRIu64 " end=%s reason=\"%s\"",
               FLOW_NUMBER_OF(flow), client, flow->lease.listener->name, flow->lease.pool->name, flow->lease.backend->name,
               addr_format(&flow->lease.backend->addr, backend, sizeof(backend)), flow->worker->index,
               (flow->worker->io->now_ns - flow->opened_ns) / 1000000, flow->datagrams[0], flow->datagrams[1], flow->bytes[0], flow->bytes[1],
               ends[flow->end].code, ends[flow->end].text);
}
