/* test/sim/engine.h: the simulated engine: a third implementation of struct io_ops, on the simulated kernel of sim.h. Each worker has one. Test thread.
 *
 * It works in one of two ways. The first is that of epoll: the dispatch makes the calls itself, and a close ends at once what is in flight. The second, queued,
 * is that of io_uring:
 *
 *  - Requests are submitted to the kernel when the wait begins, or earlier if the queue is full. The kernel works on them from then on. The dispatch reports
 *    the completions. The seed decides in which order it takes the sockets.
 *  - A receive needs a buffer that was published to the kernel. Without one the receive ends, and it is restarted after the dispatch if there is memory.
 *  - Sends are gathered (options.gathers): they are submitted when the wait begins, and there is no completion if they succeed completely. Their success is
 *    reported in the next dispatch, which may be much later (io.sent_ns), or soon after io_hurry(). A failed or partial send has a completion. The rest is sent
 *    when there is room.
 *  - A close cancels the operations in flight, one after another. An operation may end before it is cancelled, may receive bytes first, or may not be found by
 *    the cancellation. None of this is reported. `closed` comes when all operations have ended. A gathered send cannot be cancelled, and is sent.
 *
 * A wait never blocks. When a worker has nothing to do, the driver calls engine_sleep(), with which the wait begins. The worker gets its next turn when
 * engine_ready() returns true, when its timeout has passed, or without cause. */
#ifndef TEST_SIM_ENGINE_H
#define TEST_SIM_ENGINE_H

#include "io/io.h"
#include "sim.h"
#include "sim_udp.h"

/* Operations. The bit of operation n in io_sock.in_flight is 1 << n. SEND is a gathered send. A send that waits for room is OUT. */
enum { SIM_OP_CONNECT, SIM_OP_SEND, SIM_OP_OUT, SIM_OP_RECEIVE, SIM_OP_IN, SIM_OP_CANCEL, SIM_OPS };

enum { ENGINE_GATHERED_MAX = 512 };

struct sim_engine {
    struct io io; /* first */
    struct sim *sim;
    unsigned index;
    struct list care;       /* list of the connections that this engine has */
    uint32_t care_count;
    struct sim_conn **order; /* scratch memory: the same connections in the order of this turn */
    uint32_t order_count;   /* entries allocated in `order` */
    uint64_t calls;         /* number of calls into the engine in this turn, which is bounded */
    uint64_t sequence;      /* number of the last completion */
    bool asleep;            /* its wait has begun, and its requests are submitted */
    bool hurried;           /* io_hurry() was called since the last wait */
    bool waits_for_sends;   /* io_hurry() was called before the wait began, so that gathered sends end this wait */
    uint32_t published;     /* number of receive buffers that the kernel has */
    uint32_t missing;       /* number of receive buffers that could not be published for lack of memory */
    bool lacks_ring;        /* the kernel has lost its buffers: none is published before they are registered again, which is tried once a millisecond */
    uint32_t starving;      /* number of connections whose receive ended for lack of a buffer */

    struct sim_conn *gathered[ENGINE_GATHERED_MAX]; /* the gathered sends, in order; NULL: it failed, and this was reported */
    uint32_t gathered_count;
    uint32_t gathered_prepared; /* how many of them, from the first, are submitted */
    uint32_t gathered_made; /* how many of them, from the first, the kernel has made; for lack of memory it may make only some */
    uint64_t gathered_mark; /* number of the last completion that may be a failure of one of them */
    uint64_t gathered_ns;   /* when they were submitted */
};

static inline struct sim_engine *engine_of(struct io *io)
{
    return container_of(io, struct sim_engine, io);
}

static inline void engine_note(struct sim_engine *engine, const struct sim_conn *conn, const char *what, int64_t value)
{
    sim_note(engine->sim, conn, what, value);
}

/* ---- engine.c: for the driver ---- */

/* Makes an engine. Returns NULL if out of memory. io_free() frees it. */
struct sim_engine *engine_new(struct sim *sim, unsigned index);
/* Begins the worker's wait: submits its requests to the kernel. */
void engine_sleep(struct sim_engine *engine);
/* Whether the wait would end now. */
bool engine_ready(const struct sim_engine *engine);
/* Returns the longest wait in milliseconds that the engine itself allows; -1: any. */
int64_t engine_wait_ms_max(const struct sim_engine *engine);

/* ---- only for the files of the engine ---- */

/* Submits the pending requests to the kernel. Returns false if the kernel does not accept all of them. */
bool engine_submit(struct sim_engine *engine);
/* Adds a completion. */
void engine_done(struct sim_conn *conn, struct sim_done done);

/* engine_ops.c */

/* Returns the connection of a socket. Fails the run if there is none, if it is closing, or if it belongs to another engine. */
struct sim_conn *engine_conn(struct sim_engine *engine, const struct io_sock *sock);
void engine_start(struct sim_conn *conn, int operation);
/* Whether engine_attempt() would end or continue the operation. */
bool engine_possible(const struct sim_conn *conn, int operation);
/* Works on an operation as the kernel does. Returns true if `done` is a completion to report. */
bool engine_attempt(struct sim_conn *conn, int operation, struct sim_done *done);

/* engine_tell.c: reports a completion: calls the event, unless the socket is closing. */
void engine_tell(struct sim_conn *conn, const struct sim_done *done);
/* Publishes receive buffers, and restarts the receives that ended for lack of one. */
void engine_feed_starving(struct sim_engine *engine);

/* engine_send.c */

/* Fails the run if the buffer of a pending send was freed. The buffer is lent to the engine until `sent` or `closed`. */
void engine_check_lent(const struct sim_conn *conn);
/* Lets the kernel make the gathered sends. Returns false if it makes only some. */
bool engine_make_gathered(struct sim_engine *engine);
/* In a dispatch: submits the gathered sends if there are many. */
void engine_gathered_full(struct sim_engine *engine);
/* The gathered sends are made, and the kernel has posted the completions of those that failed. */
void engine_gathered_noted(struct sim_engine *engine);
/* At the end of a dispatch: reports the gathered sends that succeeded completely. */
void engine_settle(struct sim_engine *engine);
/* Reports a gathered send that failed or was partial. */
void engine_gathered_failed(struct sim_conn *conn, int result);
/* Continues the pending send, because the send buffer has room or there is an error. */
void engine_send_on(struct sim_conn *conn);
bool engine_is_gathered(const struct sim_conn *conn);

/* engine_close.c */

/* Lets the kernel execute a cancellation. */
void engine_cancel_now(struct sim_conn *conn);
/* An operation of a closing socket has ended. `done` is NULL for a gathered send. */
void engine_closing_progress(struct sim_conn *conn, const struct sim_done *done);
/* Closes the closing sockets with nothing in flight. By chance, some are left for a later call. */
void engine_tell_closed(struct sim_engine *engine);

/* The functions of struct io_ops, in engine_ops.c, engine_send.c, engine_close.c, engine_calls.c, engine_listen.c, engine_udp.c and engine_pipe.c. */
int engine_open(struct io *io, struct io_sock *sock);
void engine_close(struct io *io, struct io_sock *sock);
void engine_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options);
void engine_receive(struct io *io, struct io_sock *sock);
int engine_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes);
void engine_hurry(struct io *io);
void engine_poll(struct io *io, struct io_sock *sock, enum io_side side);
int engine_shutdown(struct io *io, struct io_sock *sock);
uint32_t engine_undelivered(struct io *io, struct io_sock *sock);
int engine_broken(struct io *io, struct io_sock *sock);
bool engine_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer);
bool engine_tcp_info(struct io *io, struct io_sock *sock, struct io_tcp_info *info);
bool engine_lacks_address(struct io *io, const struct addr *to);
void engine_look_again(struct io *io);
void engine_clear_event(struct io *io, struct io_sock *sock);
int engine_socket(struct io *io, int family);
int engine_accept(struct io *io, struct io_sock *listener, struct addr *peer);
bool engine_has_clients(struct io *io, struct io_sock *listener);
uint64_t engine_arrived_ns(struct io *io, int fd);
int engine_listen_again(struct io *io, struct io_sock *listener, int backlog);
bool engine_is_shut(struct io *io, struct io_sock *listener);
bool engine_stop_queueing(struct io *io, struct io_sock *listener);
void engine_set_congestion(struct io *io, int fd, const char *name);
void engine_discard(struct io *io, int fd);
int engine_connect_datagram(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes);
int engine_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count);
void engine_send_datagrams(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count);
int engine_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes);
void engine_pipe_close(struct io *io, struct io_pipe *pipe);
ssize_t engine_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
ssize_t engine_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe);

#endif
