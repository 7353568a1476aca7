/* worker/udp_drop.c: counts and reports dropped datagrams. Worker thread; owns nothing. */
#include "worker/udp_drop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "table/counters.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/context.h"
#include "worker/udp.h"

#define TELL_NS ((uint64_t)1000000000)

static const struct {
    enum report_refusal refusal;
    const char *text;
} reasons[] = {
    [UDP_DROP_MAX_FLOWS] = {REPORT_REFUSED_MAX_FLOWS, "the process has max_flows open flows; raise max_flows in [global], and the descriptor limit"},
    [UDP_DROP_LISTENER_FULL] = {REPORT_REFUSED_LISTENER_FULL, "the listener has max_flows open flows; raise its max_flows, or lower udp_idle_timeout"},
    [UDP_DROP_SOURCE_FULL] = {REPORT_REFUSED_SOURCE_FULL, "a client address has max_flows_per_source open flows"},
    [UDP_DROP_RATE] = {REPORT_REFUSED_RATE, "more new flows than flow_rate allows"},
    [UDP_DROP_DRAINING] = {REPORT_REFUSED_DRAINING, "penstock is stopping, and the client has no flow yet"},
    [UDP_DROP_NO_BACKEND] = {REPORT_REFUSED_NO_BACKEND, "no backend of the pool is up and below its limit"},
    [UDP_DROP_NO_RESOURCES] = {REPORT_REFUSED_NO_RESOURCES,
                               "no socket to a backend could be made; raise the descriptor limit, or lower max_flows or udp_idle_timeout"},
    [UDP_DROP_UNANSWERABLE] = {REPORT_REFUSED_UNANSWERABLE, "a source address to which no reply is possible (port 0, or no unicast address)"},
    [UDP_DROP_TOO_LARGE] = {REPORT_REFUSED_TOO_LARGE, "too large for the path, or for the PROXY header in front of it"},
    [UDP_DROP_NO_ROOM] = {REPORT_REFUSED_NO_ROOM, "the send buffer is full; raise send_buffer"},
    [UDP_DROP_NOT_SENT] = {REPORT_REFUSED_NOT_SENT, "the kernel refused to send"},
    [UDP_DROP_UNWANTED] = {REPORT_REFUSED_UNWANTED, "replies, although udp_responses = 0"},
};
_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == UDP_DROP_REASONS, "every reason has words");

void udp_drop(struct worker *worker, struct listener *listener, enum udp_drop_reason reason, uint32_t count, int error)
{
    struct udp_drops *drops = &worker->udp->drops;
    char why[64] = "";

    counters_add(&worker->counters->datagrams_lost, count);
    stats_add(&listener->stats.refused[reasons[reason].refusal], count);
    if (reason <= UDP_DROP_RATE)
        counters_add(&worker->counters->flows_refused, count);
    drops->untold[reason] += count;
    if (drops->told_ns[reason] && worker->io->now_ns - drops->told_ns[reason] < TELL_NS)
        return;
    if (error)
        (void)snprintf(why, sizeof(why), " (%s)", strerrorname_np(error));
    log_warn("listener %s: worker %u dropped %" PRIu64 " datagram%s: %s%s; reported at most once a second", listener->name, worker->index,
             drops->untold[reason], drops->untold[reason] == 1 ? "" : "s", reasons[reason].text, why);
    drops->untold[reason] = 0;
    drops->told_ns[reason] = worker->io->now_ns;
}

enum udp_drop_reason udp_drop_of_error(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return UDP_DROP_NO_ROOM;
    case EMSGSIZE:
        return UDP_DROP_TOO_LARGE;
    default:
        return UDP_DROP_NOT_SENT;
    }
}
