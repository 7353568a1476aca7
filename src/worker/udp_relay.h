/* worker/udp_relay.h: moves datagrams between clients and backends, in batches. The worker's thread. */
#ifndef WORKER_UDP_RELAY_H
#define WORKER_UDP_RELAY_H

#include <stdint.h>

#include "io/io.h"

struct flow;
struct udp;
struct udp_item;

/* Adds a datagram or train for the flow's backend. If there are too many, sends all of them first. */
void udp_relay_add(struct flow *flow, const struct udp_item *item);
/* Sends what was added to the backends. Before the batch of requests is used again. */
void udp_relay_send_requests(struct udp *udp);

/* Sends the replies of this turn to the clients. */
void udp_relay_send_replies(struct udp *udp);

/* The events of a flow's socket: replies and ICMP errors. */
extern const struct io_events udp_relay_events;

/* Number of datagrams in a train of `bytes`, or 1 if `segment_bytes` is 0. */
static inline uint32_t udp_relay_units(uint32_t bytes, uint16_t segment_bytes)
{
    return segment_bytes ? (bytes + segment_bytes - 1) / segment_bytes : 1;
}

#endif
