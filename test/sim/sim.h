/* test/sim/sim.h: a small model of a kernel and a network, for tests. One thread.
 *
 * It has a virtual clock, connections, listeners with accept queues, pipes, and UDP sockets (sim_udp.h). A connection is TCP or UNIX. One end is a descriptor
 * of a worker. The other end is the peer, which the test controls. The workers use the model through their simulated engines (engine.h). The seed decides how
 * long everything takes, how many bytes a call moves, the order of events, and what fails. The same seed gives the same run.
 *
 * After a reset, a connection behaves as in Linux (net/ipv4/tcp.c): bytes that had arrived stay readable, the first call returns the error, and after that a
 * receive returns end of file and a send EPIPE. Urgent bytes are inline: a receive ends before one, the next receive begins with it, and splice(2) does not
 * move past it. */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"

struct buffer;
struct io_sock;
struct sim;
struct sim_conn;
struct sim_engine;
struct sim_udp;
struct sim_udp_hooks;

/* An event at a virtual time. Embedded in what it concerns. All zero: not armed. */
struct sim_event {
    struct list link;
    uint64_t at_ns;
    void (*run)(struct sim_event *event); /* it is no longer armed when this is called, and may be armed again */
    bool armed;
};

/* Probabilities, per thousand. "Queued" means: only with the queued engine (engine.h). */
struct sim_chances {
    uint32_t no_descriptor; /* accept and socket fail for lack of descriptors or memory */
    uint32_t no_family;     /* socket fails because of the address family of the backend */
    uint32_t aborted;       /* accept fails because the client has already reset the connection */
    uint32_t shut;          /* accept fails because another process has shut the listening socket down */
    uint32_t no_handle;     /* io_open() fails */
    uint32_t no_port;       /* a connected UDP socket cannot be made, because no port is free, or there is no route */
    uint32_t no_room;       /* the send buffer of a UDP socket is full */
    uint32_t not_sent;      /* the kernel refuses to send a datagram, or finds it too large for the path */
    uint32_t interrupted;   /* a call on a UDP socket fails with EINTR */
    uint32_t met_itself;    /* a connection is connected to itself */
    uint32_t no_pipe;       /* pipe_open fails */
    uint32_t small_pipe;    /* pipe_open returns a pipe that is smaller than requested */
    uint32_t unspliceable;  /* a connection does not support splice (EINVAL) */
    uint32_t short_read, short_write;
    uint32_t again;         /* EAGAIN although bytes, or room to send, are available */
    uint32_t spurious;      /* a poll ends without cause; drawn for each poll at each wait */
    uint32_t late;          /* a worker is stalled before its turn; a socket is served, or its `closed` is reported, a turn later */
    uint32_t no_buffer;     /* there is no memory for a receive buffer */
    uint32_t no_ring;       /* queued: in a dispatch, the kernel loses all its receive buffers until there is memory to register them again */
    uint32_t no_request;    /* queued: the kernel accepts no request, or only some, for lack of memory */
    uint32_t full_queue;    /* queued: the submission queue is full, so that it is submitted before the end of the turn */
    uint32_t missed;        /* queued: a cancellation does not find a receive that is in flight */
    uint32_t ended_early;   /* queued: a multishot receive ends before it has used its credit */
};

struct sim_hooks {
    /* io_connect() was called. The test calls sim_answer(), or lets the attempt time out. */
    void (*connecting)(struct sim_conn *conn, const struct addr *addr);
    /* A client was accepted by `engine`. */
    void (*accepted)(struct sim_conn *conn, const struct sim_engine *engine);
    /* io_lacks_address() was called: returns its result. */
    bool (*lacks_address)(struct sim *sim, const struct addr *to);
    /* io_close() was called. */
    void (*closing)(struct sim_conn *conn);
    /* The last descriptor of an accept queue that takes no new clients is about to be closed by `engine`. */
    void (*unlistening)(struct sim_conn *conn, const struct sim_engine *engine);
    /* The peer may now be able to read or send, or the connection may have ended. */
    void (*changed)(struct sim_conn *conn);
    /* The code under test has misused the engine. Must not return. */
    void (*failed)(struct sim *sim, const char *what);
    const struct sim_udp_hooks *udp; /* sim_udp.h */
};

struct sim_options {
    uint64_t seed;
    bool queued;  /* as io_uring: the kernel works during the wait, and the next dispatch reports it. Otherwise as epoll: the dispatch makes the calls */
    bool gathers; /* queued: sends are submitted together when the wait begins. A send that succeeds completely ends the wait only after io_hurry() */
    bool multishot; /* queued: a receive continues until its credit is used. Otherwise it ends with the first bytes */
    uint32_t buffers; /* queued: maximum number of receive buffers that the kernel has */
    uint32_t gathered_max; /* maximum number of sends that are gathered */
    uint32_t gather_batch; /* this many gathered sends are submitted before the wait begins */
    uint32_t mtu;    /* of all paths: a train with larger datagrams is refused */
    bool no_trains;  /* a train to a connected socket is refused, as by a device without checksum offload */
    bool tiny;    /* send and receive windows may be as small as one byte, which causes many events */
    bool trace;   /* sim_note() prints */
    uint64_t forbidden_until_ns; /* until then, accept fails with EPERM, as if a security module denied it */
    struct sim_chances chances;
    const struct sim_hooks *hooks;
    void *owner;  /* belongs to the test; not used here */
};

/* Bytes in transit in one direction. The first `arrived` of `length` bytes can be read. The others wait for room in the receive window, or for their
 * latency. */
struct sim_stream {
    uint8_t *data;
    uint32_t size, head, length, arrived;
    uint32_t send_max, receive_max;  /* maximum number of bytes that have not arrived, and that have arrived and are unread */
    uint64_t total;                  /* number of bytes that have ever arrived */
    uint64_t mark;                   /* the urgent byte is the one before this position of the stream; 0: there is none, or it was read */
    bool fin, fin_arrived;
    struct sim_event moving;
};

/* A completion: an operation that has ended, or has received bytes, and that the dispatch has not reported yet. */
struct sim_done {
    uint8_t operation;
    bool last;             /* the operation is no longer in flight after this completion */
    int result;
    struct buffer *buffer; /* the received bytes; NULL: none */
    uint64_t sequence;     /* number of this completion in its engine */
};

enum { SIM_DONE_MAX = 24, SIM_EVENTFDS_MAX = 8 };

/* The first simulated descriptor. It is far above real ones, so that a real close(2) by mistake does no harm. */
enum { SIM_FD_BASE = 1 << 20 };

/* A connection, a listening socket or an eventfd. It exists until sim_free(). */
struct sim_conn {
    struct sim *sim;
    uint32_t index;               /* position in sim->conns */
    bool listening, sealed;       /* a listening socket; its accept queue takes no new clients */
    bool accepted;                /* a client that was accepted */
    struct list link;             /* in the accept queue */
    struct list queue;            /* of a listening socket: the clients that are not accepted yet */
    struct sim_conn *listener;    /* of a listening socket: the one whose `queue` and `sealed` it uses; of a client: the one in whose queue it is or was */
    uint32_t descriptors;         /* of a listening socket that owns a queue: number of open descriptors that use it */
    uint64_t arrived_ns, accepted_ns, served_ns; /* of a client: when it arrived, was accepted, and was given to io_open(); 0: not yet */
    struct addr client;
    void *peer;                   /* belongs to the test; not used here */
    uint32_t latency_us;          /* maximum latency of anything that is sent */
    bool unspliceable;
    bool local;                   /* a UNIX socket */
    struct sim_udp *udp;          /* owned; NULL: this is no UDP socket */

    /* Our end. */
    struct io_sock *sock;         /* the socket given to io_open(); NULL: none, or it is closed */
    struct sim_engine *engine;    /* the engine that has it; NULL: none, or it is closed */
    struct list care;             /* in the list of that engine */
    int event_fd;                 /* the real eventfd; -1: this is a socket */
    bool signalled;               /* the eventfd was readable when it was last checked */
    uint8_t requested;            /* bits of the operations that are not submitted to the kernel yet */
    uint8_t armed;                /* bits of the operations that the kernel works on */
    uint8_t cancelled;            /* while closing: bits of the operations for which a cancellation was requested */
    uint8_t cancelling;           /* the operation that the cancellation in flight is for */
    bool untried;                 /* the receive is submitted and has not been tried yet */
    uint32_t receive_left;        /* number of bytes after which a multishot receive ends */
    bool overlooked;              /* the receive ignores the bytes that have arrived until more arrive: sim_stop_process() */
    bool starving;                /* its receive ended for lack of a buffer, and is restarted when there is one */
    bool closable;                /* it is closing and nothing is in flight any more */
    uint8_t spurious;             /* bits of the polls that will end without cause */
    struct sim_done done[SIM_DONE_MAX];
    uint32_t done_first, done_count;
    bool answered;                /* the attempt to connect has ended with the result `answer` */
    int answer;
    bool established;
    bool failed;                  /* our end was reset or has timed out, even if its descriptor was already closed */
    uint64_t failed_ns;           /* when */
    bool over;                    /* no bytes can be sent or will arrive any more */
    bool unwanted;                /* UNIX: the peer has shut its reading side down, so that sends fail */
    bool released;                /* the descriptor is closed */
    int error;                    /* errno that no call has returned yet; 0: none */
    uint64_t active_ns;           /* when the worker last learned that bytes, or our FIN, had passed through this end */

    /* The peer's end. */
    bool peer_closed;             /* the peer has closed its descriptor */
    bool peer_reset;              /* the peer has received a reset */

    struct sim_stream in, out;    /* from the peer, to the peer */
    struct sim_event answering, resetting_us, resetting_peer;
};

struct sim_pipe {
    uint8_t *data;
    uint32_t start, length, capacity;
    bool open;
};

struct sim {
    struct sim_options options;
    uint64_t random;
    uint64_t now_ns;
    uint64_t digest;      /* hash of all notes */
    struct list events;   /* armed events, in the order of their times */
    struct sim_conn **conns;
    uint32_t conn_count;
    uint32_t conns_open;  /* number of open descriptors on our side */
    struct sim_pipe *pipes;
    uint32_t pipe_count, pipes_open;
    struct sim_conn *eventfds[SIM_EVENTFDS_MAX];
    uint32_t eventfd_count;
    struct list udp_sockets; /* the open ones */
    uint32_t datagrams;   /* number of datagrams that were numbered (sim_udp.h) */
    uint32_t no_family;   /* number of sockets that were refused because of the address family */
    uint32_t denials;     /* number of calls of accept that were denied */
    int turning;          /* index of the worker whose turn it is; -1: none */
};

/* Makes a simulated kernel. Returns NULL if out of memory. */
struct sim *sim_new(const struct sim_options *options);
/* Frees it and all connections. Every engine must have been freed. */
void sim_free(struct sim *sim);

/* ---- for the test ---- */

/* Returns a listening descriptor with an accept queue of its own, for io_open(). */
int sim_listen(struct sim *sim, bool local);
/* Returns another descriptor for the accept queue of `listener`. */
int sim_listen_share(struct sim *sim, int listener);
/* A client arrives: it enters the accept queue of one of `count` listeners, or is reset if none takes new clients. Returns the new connection. */
struct sim_conn *sim_arrive(struct sim *sim, const int *listeners, uint32_t count, const struct addr *client);
/* The attempt to connect ends after `after_ns` with `error`: 0 or an errno. */
void sim_answer(struct sim_conn *conn, int error, uint64_t after_ns);
/* Draws the windows of both directions and the latency again. Before the connection is used. */
void sim_draw_windows(struct sim_conn *conn);
/* The connection breaks without a packet from the peer: our end gets `error`, as after a timeout. */
void sim_break(struct sim_conn *conn, int error);

/* The calls of the peer. Sending returns the number of bytes accepted, 0 if there is no room now, or -ECONNRESET. Reading returns the number of bytes, 0
 * after FIN, -EAGAIN or -ECONNRESET. */
int64_t sim_peer_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes);
int64_t sim_peer_read(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
/* The byte that was sent last is urgent. */
void sim_peer_mark(struct sim_conn *conn);
void sim_peer_shutdown(struct sim_conn *conn);
/* As shutdown(2) with SHUT_RD on a UNIX socket. */
void sim_peer_stop_reading(struct sim_conn *conn);
/* As close(2): sends RST if received bytes were not read. */
void sim_peer_close(struct sim_conn *conn);
void sim_peer_reset(struct sim_conn *conn);

/* The process is stopped and continued. Queued receives at an urgent mark read nothing while the signal is pending (tcp_recvmsg() in the kernel). */
void sim_stop_process(struct sim *sim);

/* Arms the event for `after_ns` from now, or moves it there. */
void sim_arm(struct sim *sim, struct sim_event *event, uint64_t after_ns);
/* Runs the events that are due. With `all`, lets time pass until no event is left. */
void sim_run_events(struct sim *sim, bool all);
/* Returns when the next event is due; UINT64_MAX: there is none. */
uint64_t sim_next_event_ns(const struct sim *sim);
/* Returns a random number below `bound`. */
uint32_t sim_below(struct sim *sim, uint32_t bound);
/* Returns true with this probability. */
bool sim_chance(struct sim *sim, uint32_t per_mille);
/* One of the listed numbers; each is equally likely, and one that is listed twice is twice as likely. */
#define PICK(sim, ...) ((const uint32_t[]){__VA_ARGS__})[sim_below(sim, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))]

/* Returns a negative errno that means a lack of descriptors or memory. */
int sim_lack(struct sim *sim);
/* Adds the time, the connection, `what` and `value` to the digest. When tracing, prints them and the worker. `conn` may be NULL. */
void sim_note(struct sim *sim, const struct sim_conn *conn, const char *what, int64_t value);
/* Reports that the engine was misused. */
void sim_fail(struct sim *sim, const char *what) __attribute__((noreturn));

/* ---- for the engines: our end of connections ---- */

struct sim_conn *sim_conn_new(struct sim *sim);
/* Takes over `fd`, a real eventfd. */
struct sim_conn *sim_eventfd(struct sim *sim, int fd);
struct sim_conn *sim_conn_find(struct sim *sim, int fd);
int sim_conn_fd(const struct sim_conn *conn);
bool sim_readable(const struct sim_conn *conn);
bool sim_writable(const struct sim_conn *conn);
/* As recv(2), splice(2) from a socket, send(2) (returns 0 if there is no room), shutdown(2) and close(2). Errors are negative errnos. */
int64_t sim_receive(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
int64_t sim_splice(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
int64_t sim_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes);
int sim_shutdown(struct sim_conn *conn);
void sim_release(struct sim_conn *conn, bool reset);
/* Resets all clients in the accept queue. */
void sim_reset_queue(struct sim_conn *listener);
/* Checks which eventfds are readable. They are real, so the simulation does not notice when they become readable. */
void sim_look_at_eventfds(struct sim *sim);

/* sim_net.c: prepares a connection for the network; lets bytes and FIN of a stream arrive after a latency; sends RST to our end; sends RST to the peer. */
void sim_net_init(struct sim_conn *conn);
void sim_net_move(struct sim_conn *conn, struct sim_stream *stream);
void sim_net_reset_us(struct sim_conn *conn);
void sim_net_reset_peer(struct sim_conn *conn);

void sim_stream_push(struct sim_stream *stream, const uint8_t *data, uint32_t bytes);
/* Takes at most `bytes` of the bytes that have arrived, and returns how many it took. */
uint32_t sim_stream_take(struct sim_stream *stream, uint8_t *data, uint32_t bytes);
/* Drops the bytes and the FIN that have not arrived. */
void sim_stream_cut(struct sim_stream *stream);

static inline uint32_t sim_stream_room(const struct sim_stream *stream)
{
    uint32_t waiting = stream->length - stream->arrived;

    return waiting < stream->send_max ? stream->send_max - waiting : 0;
}

#endif
