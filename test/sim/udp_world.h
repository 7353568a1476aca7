/* test/sim/udp_world.h: the UDP part of a run: clients and backends that exchange numbered datagrams, and what the checks know about each datagram and flow.
 * Test thread.
 *
 * A flow's socket is called a port here. All that is known about a flow from outside is known about its port. */
#ifndef TEST_SIM_UDP_WORLD_H
#define TEST_SIM_UDP_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_udp.h"
#include "worker/udp_drop.h"
#include "worker/udp_flow.h"

struct member;
struct world;
struct worker;

enum { UDP_GROUPS_MAX = 4, UDP_WORKERS_MAX = 3, UDP_CLIENTS_MAX = 24, UDP_POOLS_MAX = 2, UDP_BACKENDS_MAX = 20, UDP_SOURCES_MAX = 256 };

/* No two datagrams of at least this size have the same bytes, unless the network has doubled one. */
enum { UDP_TELLING_BYTES = 8 };

/* An address that a listener is bound to. Each worker has a socket of it. */
struct udp_group {
    uint32_t listener;
    struct addr addr;
    bool is_wildcard;
    int fds[UDP_WORKERS_MAX];
};

/* A client. The seed chooses all of it. */
struct udp_client {
    struct world *world;
    uint32_t index;
    uint32_t group;
    union io_endpoint from;
    struct io_local to;
    uint32_t sends;             /* how often it will still send */
    uint32_t burst_max;         /* maximum number of datagrams that it sends at once */
    uint32_t unit_bytes_max;
    uint32_t pause_us_max;
    uint32_t trains;            /* probability per thousand that the datagrams that it sends at once arrive as a train */
    bool floods;                /* each burst comes from another port */
    bool is_odd;                /* some datagrams come from port 0, or an address to which no reply is possible, or are sent to a broadcast address */
    struct sim_event sending;
};

/* Whose flow it is. */
struct udp_owner {
    bool is_shared;             /* all clients of the socket */
    union io_endpoint client;
    struct io_local to;         /* AF_UNSPEC: the only address of the socket */
    struct sim_conn *listening; /* the socket on which the client's datagrams arrive */
    const struct backend *backend; /* of a flow that is one of several of this client; else NULL. Only compared */
};

/* A flow's socket. It exists until the end of the run. */
struct udp_port {
    struct list link;           /* in the list of open ports, or of closed ones */
    struct sim_conn *conn;
    uint32_t worker;
    uint64_t opened_turn, active_ns;
    bool is_closing, is_refused;
    bool is_superseded;         /* udp_requests was reached, and the client's later datagrams belong to another flow */
    bool has_header;            /* with proxy_protocol = v2_first: a datagram with the header was sent */
    bool is_met;                /* the worker has tried to send through it, so that `owner` is valid */
    struct udp_owner owner;
    uint32_t requests;          /* datagrams from the client that were sent */
    uint32_t failures;          /* calls of send that failed */
    uint32_t replies;           /* datagrams received from the backend */
    uint64_t bytes[2];          /* sent to the backend without an error, and received from it */
    uint64_t batch;             /* the batch in which the last request that was sent has arrived */
    uint32_t position;          /* its position there */
};

/* A datagram that the worker has received. */
struct udp_record {
    uint32_t number, bytes;
    bool is_passed;
    union io_endpoint from;
    struct io_local to;
    struct sim_conn *socket;    /* on which it arrived */
    struct udp_port *port;      /* of a reply: the flow that it belongs to */
};

struct udp_records {
    struct udp_record *list;
    uint32_t count, size;
};

/* What a worker has done with datagrams. */
struct udp_tally {
    struct udp_records requests; /* of the present batch */
    uint64_t batch;              /* number of that batch */
    struct udp_records replies;  /* of this turn */
    uint64_t received, passed[2], dropped; /* datagrams, of the whole run */
    uint64_t bytes[2];           /* of those that were passed */
    uint64_t opened, refused;    /* flows; datagrams that were dropped at a limit */

    /* Of this turn: what may be a reason to drop. */
    uint32_t unanswerable, too_large, unwanted;
    uint32_t taken;              /* number of datagrams that the kernel has taken since the present call of io_send_datagrams() began */
    uint32_t failed[UDP_DROP_REASONS]; /* datagrams in messages that failed for this reason */
    bool is_replacing;           /* a flow has ended because its backend is gone: the next one that is opened may take its place, and does not count as new */
    uint32_t lacks;              /* sockets that could not be made */
    uint32_t refusals;
};

/* A source of flows that was seen. */
struct udp_source {
    uint32_t listener, hash;
};

struct udp_world {
    bool is_on;
    struct udp_group groups[UDP_GROUPS_MAX];
    uint32_t group_count;
    struct udp_client clients[UDP_CLIENTS_MAX];
    uint32_t client_count;
    uint32_t queue_bytes_max;
    struct udp_tally tallies[UDP_WORKERS_MAX];
    struct list ports, closed_ports;
    bool refuses[UDP_POOLS_MAX][UDP_BACKENDS_MAX]; /* no process listens on the backend's port */
    bool refuses_at_once;        /* the ICMP error arrives during the send, as on the loopback */
    struct sim_event refusing;
    uint32_t loss, doubling;     /* probabilities per thousand, in the network */
    uint32_t latency_us_max;
    uint32_t flows_allowed[UDP_GROUPS_MAX]; /* by listener: its max_flows, or more if it had more when that was lowered */
    uint64_t rate_due_ns[UDP_GROUPS_MAX];   /* by listener: of the check of flow_rate */
    struct udp_source sources[UDP_SOURCES_MAX];
    uint32_t source_count;
};

/* udp_config.c: draws the UDP part of a pool's or listener's settings, the sockets, and the clients. */
void udp_draw(struct world *world);
void udp_draw_pool(struct world *world, struct pool_settings *settings);
void udp_draw_listener(struct world *world, struct listener_settings *settings);
/* Settings that may change while flows exist. */
void udp_draw_pool_change(struct world *world, struct pool_settings *settings);

/* udp_actors.c */
void udp_schedule(struct world *world);
/* A datagram was sent to the backend of this port, which may answer. */
void udp_backend_takes(struct world *world, struct udp_port *port);
/* Whether flows, or datagrams that a worker will receive, exist. */
bool udp_is_busy(const struct world *world);
bool udp_endpoints_equal(const union io_endpoint *a, const union io_endpoint *b);
bool udp_locals_equal(const struct io_local *a, const struct io_local *b);

/* check_udp.c: checks each datagram that is received and sent. Functions of struct sim_udp_hooks. */
void check_udp_receiving(struct sim_conn *conn);
void check_udp_received(struct sim_conn *conn, const struct sim_train *train);
void check_udp_sending(struct sim_conn *conn);
void check_udp_taken(struct sim_conn *conn, const struct sim_message *message);
void check_udp_sent(struct sim_conn *conn, const struct io_outgoing *messages, unsigned count);
/* Checks that every datagram that the worker has received was sent or counted as dropped, and forgets what belongs to this turn. */
void check_udp_settled(struct member *member);

/* check_udp_request.c: checks a datagram that is sent to a backend. */
void check_udp_request(struct udp_port *port, const struct sim_message *message);
bool check_udp_is_refusal(int error);
/* Whether the record is the datagram with these bytes. */
bool check_udp_is_content(const struct udp_record *record, const uint8_t *data, uint32_t bytes);

/* check_udp_flow.c: checks when a flow begins and ends. */
extern const struct sim_udp_hooks check_udp_hooks;
/* The worker is about to send through this port for the first time. */
void check_udp_met(struct world *world, struct udp_port *port);
/* The client's next datagram belongs to another flow than this one, which must be ending, or have had its udp_requests. */
void check_udp_superseded(struct world *world, struct udp_port *port);

/* check_udp_shared.c: checks limits and counters after every turn, and after the run. */
void check_udp_turn(struct member *member);
/* No worker has anything to do: checks that no datagram waits. Before time passes. */
void check_udp_waiting(struct world *world);
void check_udp_end(struct world *world);
/* Notes the limits, which may have changed. */
void check_udp_note_limits(struct world *world);
/* The number of flows of this listener whose client has the same source address. */
uint32_t udp_flows_of_source(const struct world *world, const struct listener *listener, const union io_endpoint *source);
/* The number of flows that hold a slot on this backend, and of all flows. */
uint32_t udp_slots_of(const struct world *world, const struct backend *backend);
uint32_t udp_flows(const struct world *world);
void udp_dismantle(struct world *world);

static inline struct udp_port *udp_port_of(const struct sim_conn *conn)
{
    return conn->udp->owner;
}

/* The flow of an open port. */
static inline struct flow *udp_flow_of(const struct udp_port *port)
{
    return container_of(port->conn->sock, struct flow, sock);
}

#endif
