/* worker/udp.h: the UDP part of a worker: its sockets, its flows, and the batches of datagrams that it relays. Only workers that have UDP sockets have one. The
 * worker's thread. */
#ifndef WORKER_UDP_H
#define WORKER_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slab.h"
#include "base/timer_wheel.h"
#include "io/datagram.h"
#include "io/io.h"
#include "worker/flow_table.h"
#include "worker/udp_drop.h"

struct flow;
struct listener;
struct worker;

enum {
    UDP_ITEMS_MAX = 256, /* datagrams or trains that are distributed to flows before they are sent */
    UDP_PARTS_MAX = 2 * UDP_ITEMS_MAX,
};

/* One UDP socket of this worker. Each address of a listener has one in each worker. The kernel chooses the worker by a hash of the client's address and
 * port, so a client stays with its worker. */
struct udp_listener {
    struct io_sock sock;
    struct worker *worker;
    struct listener *listener; /* the live object; referenced while the socket is open */
    struct addr addr;          /* to which the socket is bound */
    bool wildcard;             /* that is a wildcard address: each datagram tells to which address it was sent */
    bool open;
};

/* A datagram or train on its way to a backend. */
struct udp_item {
    const uint8_t *data;   /* in the batch of requests */
    uint32_t bytes;
    uint16_t segment_bytes; /* of a train; 0: this is one datagram */
    uint16_t next;         /* the next item of the same flow; UDP_ITEMS_MAX: none */
};

/* Replies on their way to clients, all through one socket. */
struct udp_outbox {
    struct udp_listener *socket; /* NULL: the outbox is empty */
    unsigned used;               /* places of the batch that are in use */
    unsigned count;              /* messages */
    struct flow *last;           /* the flow of the last message, while that one may still be joined; NULL: none */
    struct io_outgoing messages[IO_DATAGRAMS_MAX];
    struct iovec parts[IO_DATAGRAMS_MAX];
    union io_endpoint peers[IO_DATAGRAMS_MAX];
    struct io_local locals[IO_DATAGRAMS_MAX];
};

struct udp {
    struct worker *worker;
    struct udp_listener *listeners;
    size_t listener_count;
    size_t listeners_open;

    struct slab flows_slab;
    struct list flows;
    struct flow_table table;
    uint64_t flow_number;          /* number of the last flow */
    uint64_t secret[2];            /* random key of hashes of client addresses */

    struct io_batch *requests;     /* datagrams from clients; in use only during an event */
    struct udp_item items[UDP_ITEMS_MAX];
    unsigned item_count;
    struct list touched;           /* flows that have items */
    struct io_outgoing messages[UDP_ITEMS_MAX]; /* scratch: those of one flow */
    uint16_t first_items[UDP_ITEMS_MAX];        /* the first item of each message */
    struct iovec parts[UDP_PARTS_MAX];

    struct io_batch *replies;      /* datagrams from backends, until the end of the turn */
    struct udp_outbox outbox;

    struct udp_drops drops;
    struct timer drain_timer;      /* while draining: the next check whether the sockets can be closed */
};

/* Makes the UDP part of a worker and registers its UDP sockets with its engine, if it has any. Returns 0 or a negative errno. */
int udp_open_all(struct worker *worker);
/* Frees it. All sockets and flows must have been closed. */
void udp_free(struct worker *worker);

/* Starts to serve clients. Once. */
void udp_accept_all(struct worker *worker);

/* Starts to drain: clients without a flow are not served any more. Flows continue until they are idle. The sockets are closed when no worker has a flow. */
void udp_drain_all(struct worker *worker);
/* Ends all flows and closes the sockets. */
void udp_end_all(struct worker *worker);
/* Whether all flows and sockets are closed. */
bool udp_drained(const struct worker *worker);

#endif
