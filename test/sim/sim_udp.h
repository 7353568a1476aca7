/* test/sim/sim_udp.h: the simulated kernel's UDP sockets. Test thread.
 *
 * A bound socket belongs to a group: one socket of each worker, all bound to the same address (SO_REUSEPORT). A hash of the client's address and port and of
 * the address that it sends to selects the socket of the group, so a client stays with its worker as long as the group has the same sockets. A connected socket
 * receives only from its peer. It has a local port that no other socket ever has, so the kernel drops datagrams from strangers, and replies to a closed socket.
 *
 * A receive queue has a limit, and datagrams that do not fit are lost. An ICMP error is returned once, by the next call on the socket; if that call is a send,
 * its datagram is not sent. If it is sendmmsg(2) and some messages before it were sent, the error is lost (sendmmsg(2), "BUGS").
 *
 * What a datagram contains is a function of its number. So the test knows what it must contain wherever it sees it. */
#ifndef TEST_SIM_SIM_UDP_H
#define TEST_SIM_SIM_UDP_H

#include "io/datagram.h"
#include "sim.h"

enum { SIM_INTERFACE = 2 }; /* index of the interface on which all datagrams arrive */

/* A datagram, or a train of them, that is in a receive queue or on its way there. Its datagrams have the numbers from `first` on. */
struct sim_train {
    struct list link;
    union io_endpoint from;
    struct io_local to;        /* the address that it was sent to; `interface` is set if that is link-local */
    uint32_t first, count;
    uint32_t unit_bytes;       /* size of each datagram but the last */
    uint32_t last_bytes;
    bool to_group;             /* it was sent to a broadcast or multicast address: each socket of the group gets a copy; `to` is the address for replies */
    bool cut;                  /* it does not fit into the receiver's buffer */
};

/* A UDP socket. It exists until sim_free(). */
struct sim_udp {
    struct sim_conn *conn;
    struct list link;          /* in sim->udp_sockets, in the order in which they were made, while it is open */
    bool is_connected;
    struct addr addr;          /* of the peer, if it is connected; else the one that it is bound to */
    uint32_t group;            /* of a bound socket */
    struct list queue;         /* of struct sim_train */
    uint32_t queued_bytes, queue_bytes_max;
    int error;                 /* an ICMP error that no call has returned yet; 0: none */
    void *owner;               /* of a connected socket; belongs to the test */
};

/* A datagram that the kernel has taken from the worker. */
struct sim_message {
    const uint8_t *data;
    uint32_t bytes;
    const union io_endpoint *to; /* NULL: the peer of the connected socket */
    struct io_local from;        /* AF_UNSPEC: the caller has not chosen the source address */
};

struct sim_udp_hooks {
    /* A connected socket was made, or could not be made (NULL). */
    void (*connected)(struct sim_engine *engine, struct sim_conn *conn);
    /* The socket was given to io_open(), which has succeeded or not. */
    void (*opened)(struct sim_engine *engine, struct sim_conn *conn, bool succeeded);
    /* io_receive_datagrams() is called; the worker receives a train; it receives an error, as a negative errno. */
    void (*receiving)(struct sim_conn *conn);
    void (*received)(struct sim_conn *conn, const struct sim_train *train);
    void (*receive_failed)(struct sim_conn *conn, int error);
    /* io_send_datagrams() is called; the kernel does not send a message; it has taken a datagram; io_send_datagrams() is about to return. */
    void (*sending)(struct sim_conn *conn);
    void (*send_failed)(struct sim_conn *conn, int error);
    void (*taken)(struct sim_conn *conn, const struct sim_message *message);
    void (*sent)(struct sim_conn *conn, const struct io_outgoing *messages, unsigned count);
    /* io_close() was called; the descriptor is closed. */
    void (*closing)(struct sim_conn *conn);
    void (*closed)(struct sim_conn *conn);
};

/* Returns a bound descriptor for io_open(). */
int sim_udp_bind(struct sim *sim, const struct addr *addr, uint32_t group, uint32_t queue_bytes_max);
/* Returns a connected socket. */
struct sim_conn *sim_udp_connect(struct sim *sim, const struct addr *peer, uint32_t queue_bytes_max);
/* Takes `count` numbers for datagrams and returns the first one. */
uint32_t sim_udp_number(struct sim *sim, uint32_t count);
/* Returns the first of the bytes of this datagram; there are as many as any datagram or train may have. */
const uint8_t *sim_udp_bytes(uint32_t number);
/* A copy of the train arrives at a group of bound sockets, or at one connected socket. Returns false if it is
 * lost everywhere. */
bool sim_udp_arrive(struct sim *sim, uint32_t group, const struct sim_train *train);
bool sim_udp_reply(struct sim_conn *conn, const struct sim_train *train);
/* An ICMP error arrives for a connected socket. */
void sim_udp_refuse(struct sim_conn *conn, int error);

/* ---- for sim_conn.c and the engine ---- */

/* Frees what is in the receive queue, and takes the socket from the list of open ones. */
void sim_udp_close(struct sim_udp *udp);
static inline bool sim_udp_is_bound(const struct sim_conn *conn)
{
    return conn->udp && !conn->udp->is_connected;
}

static inline uint32_t sim_train_unit_bytes(const struct sim_train *train, uint32_t i)
{
    return i + 1 < train->count ? train->unit_bytes : train->last_bytes;
}

static inline uint32_t sim_train_bytes(const struct sim_train *train)
{
    return (train->count - 1) * train->unit_bytes + train->last_bytes;
}

#endif
