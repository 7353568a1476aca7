/* worker/udp_flow.h: a UDP flow: one client address and port, bound to one backend until it expires. The worker's thread.
 *
 *     BOUND ---------> UNBOUND -------> CLOSING -----> freed
 *       |                                  ^
 *       +----------------------------------+
 *
 *   BOUND    It is in the table of flows: the client's datagrams go to its backend.
 *   UNBOUND  udp_requests is reached: the client's next datagram begins another flow. Replies to the earlier ones are still delivered.
 *   CLOSING  Its socket is being closed.
 *
 * Each flow has a socket that is connected to its backend. So the kernel finds the flow of a reply, and drops datagrams from strangers. The timer is armed once
 * for udp_idle_timeout. A datagram only stores the time; when the timer fires too early, it is armed again for the rest. */
#ifndef WORKER_UDP_FLOW_H
#define WORKER_UDP_FLOW_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/timer_wheel.h"
#include "io/datagram.h"
#include "io/io.h"
#include "log/access.h"
#include "table/lease.h"
#include "table/stats.h"
#include "worker/flow_table.h"

/* SO_RCVBUF of a flow's socket, unless receive_buffer is set: the kernel doubles it, up to net.core.rmem_max. */
#define UDP_FLOW_BUFFER_BYTES (1 << 20)

struct udp_listener;
struct worker;

enum flow_state { FLOW_BOUND, FLOW_UNBOUND, FLOW_CLOSING };

/* Why a flow ended. worker/udp_log.c has the text of each reason. */
enum flow_end {
    FLOW_IDLE,         /* no datagram for udp_idle_timeout */
    FLOW_ANSWERED,     /* the replies that udp_responses announces have come */
    FLOW_BACKEND_DOWN, /* the backend takes no more datagrams, or is to have no flows (backend_eviction()); the client's next one has begun another flow */
    FLOW_KILLED,       /* an administrator closed it; the client's next datagram begins another flow */
    FLOW_STOPPED,      /* drain_timeout, or a second signal */
    FLOW_ENDS
};

/* There is one for each client, so each byte here counts. */
struct flow {
    struct flow_entry entry;   /* in the table of flows, with its key */
    struct worker *worker;
    struct list link;          /* in the worker's list of flows */
    struct list touched;       /* in the list of flows that have items */
    struct io_sock sock;       /* connected to the backend */
    struct timer timer;
    struct lease lease;
    uint64_t number;           /* number of the flow in its worker, from 1 */
    uint64_t opened_ns;
    uint64_t active_ms;        /* time of the last datagram */
    uint64_t datagrams[2];     /* from the client, and from the backend */
    uint64_t bytes[2];
    uint64_t counted_datagrams[2], counted_bytes[2]; /* of those, the ones that were counted so far (worker/tally.h) */
    uint32_t source_hash;      /* of the client's address, as counted in the listener's sources */
    uint16_t first_item, last_item; /* of the datagrams that are being relayed to the backend; valid while it is in the list `touched` */
    uint8_t state;             /* enum flow_state */
    uint8_t end;               /* enum flow_end */
    bool moved;                /* it has items that another backend has refused: if this one refuses them too, they are dropped */
    bool refused;              /* an ICMP error says that the backend does not take its datagrams */
    bool counts_source;        /* it is counted in the listener's sources */
    bool introduced;           /* with proxy_protocol = v2_first: the header was sent */
};

/* The number of a flow in log lines, like SESSION_NUMBER. */
#define FLOW_NUMBER "%u.%" PRIu64
#define FLOW_NUMBER_OF(flow) (flow)->worker->index, (flow)->number

/* A client's datagram that needs a flow. */
struct flow_request {
    struct udp_listener *socket;  /* on which it has arrived */
    const struct flow_key *key;   /* of the flow */
    const union io_endpoint *peer; /* the client; NULL if the key has no client */
    const uint8_t *data;          /* the datagram */
    uint32_t bytes;
};

/* Returns the flow for a datagram: the one with its key or, if there is none or its backend takes no more datagrams, a new one. NULL: the datagram was
 * dropped, and counted for `count` datagrams. */
struct flow *udp_flow_find(const struct flow_request *request, uint32_t count);

/* The same where each datagram is balanced by itself: selects a backend, and returns the flow to it of that client or, if the key has no client, of all
 * clients. `request->key` has no backend. */
struct flow *udp_flow_find_balanced(const struct flow_request *request);

/* An ICMP error says that the backend does not take the flow's datagrams: ends the flow, and returns another one for those that could not be sent, with another
 * backend if there is one. `data`, `bytes`: the first of them. NULL: dropped, and counted for `count` datagrams. */
struct flow *udp_flow_move(struct flow *flow, const uint8_t *data, uint32_t bytes, uint32_t count);

/* udp_requests is reached. BOUND to UNBOUND. */
void udp_flow_unbind(struct flow *flow);

/* The name in the drawing. */
const char *udp_flow_state_name(const struct flow *flow);

/* Ends a flow: gives back its places, writes its log line, and closes its socket. The lease is empty from then on. No effect on one that is CLOSING. */
void udp_flow_end(struct flow *flow, enum flow_end why);

/* The flow's socket is closed: frees it. */
void udp_flow_closed(struct flow *flow);

/* Writes the flow's client. */
void udp_flow_client(const struct flow *flow, union io_endpoint *client);

/* The same address in the form that selectors and logs take; "no address" for NULL. */
struct addr udp_flow_addr(const union io_endpoint *endpoint);

/* Whether the flow belongs to no client: replies cannot be delivered. */
bool udp_flow_is_shared(const struct flow *flow);

/* udp_log.c: writes a line about the flow to the access log, unless access_log_sample leaves it out. */
void udp_flow_log(const struct flow *flow, enum access_event event);
/* The termination code of a reason. */
enum report_end udp_flow_end_code(enum flow_end reason);

#endif
