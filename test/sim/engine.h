/* test/sim/engine.h: the simulated engine: a third implementation of struct io_ops, one per worker, on the kernel of sim.h. Test thread.
 *
 * It works in one of two ways. As epoll does: the dispatch makes the calls itself, and a close ends what is in flight at once. Or queued, as io_uring does:
 *
 *  - Requests reach the kernel when the wait begins, or earlier when the queue is full. The kernel works on them from then on; the dispatch tells what it has done,
 *    in an order among sockets that the seed decides.
 *  - Received bytes need a buffer given to the kernel. Without one the receive ends, and is restarted after the dispatch if there is memory.
 *  - Sends are gathered (options.gathers): made when the wait begins, with no completion if they went out whole. What went out is told in the next dispatch,
 *    which may be long after (io.sent_ns), unless somebody hurries; what did not is told as a completion, and continued when there is room.
 *  - A close cancels what is in flight, one operation after the other. It may end before it is cancelled, bytes may come first, or the cancellation may miss it.
 *    Nothing of that is told, and `closed` comes when all has ended. A gathered send cannot be cancelled, and goes out.
 *
 * A wait never blocks. The driver calls engine_sleep() when a worker has nothing to do, which is how its wait begins, and gives it a turn when engine_ready(), when
 * its time is over, or for no reason. */
#ifndef TEST_SIM_ENGINE_H
#define TEST_SIM_ENGINE_H

#include "io/io.h"
#include "sim.h"

/* Operations; the bit of one in io_sock.in_flight is 1 << it. SEND is, queued, a gathered one; one that waits for room is OUT. */
enum { SIM_OP_CONNECT, SIM_OP_SEND, SIM_OP_OUT, SIM_OP_RECEIVE, SIM_OP_IN, SIM_OP_CANCEL, SIM_OPS };

enum { ENGINE_GATHERED_MAX = 512 };

struct sim_engine {
    struct io io; /* first */
    struct sim *sim;
    unsigned index;
    struct list care;       /* the connections that this engine has */
    uint32_t care_count;
    struct sim_conn **order; /* scratch: the same connections, in the order of this turn */
    uint32_t order_count;   /* entries allocated in `order` */
    uint64_t calls;         /* calls into the engine; their number in a turn is bounded */
    uint64_t sequence;      /* of the last completion */
    bool asleep;            /* its wait has begun, and the kernel has its requests */
    bool hurried;           /* io_hurry() was called since the last wait */
    bool waits_for_sends;   /* and the wait that has begun looks for those */
    uint32_t published;     /* receive buffers that the kernel has */
    uint32_t missing;       /* receive buffers that could not be published for lack of memory */
    bool lacks_ring;        /* and no buffer is published before they are registered again, which is tried once a millisecond */
    uint32_t starving;      /* connections whose receive found no buffer */

    struct sim_conn *gathered[ENGINE_GATHERED_MAX]; /* NULL: failed, and told */
    uint32_t gathered_count;
    uint32_t gathered_prepared; /* the first of them: handed over */
    uint32_t gathered_made; /* the first of those: the kernel has made them; it took no more for want of memory */
    uint64_t gathered_mark; /* their failures are among the completions up to this one */
    uint64_t gathered_ns;   /* when they were handed over */
};

static inline struct sim_engine *engine_of(struct io *io)
{
    return container_of(io, struct sim_engine, io);
}

static inline void engine_note(struct sim_engine *engine, const struct sim_conn *conn, const char *what, int64_t value)
{
    sim_note(engine->sim, conn, what, value);
}

/* ---- engine.c: the driver's side ---- */

/* NULL: out of memory. Ended by io_free(). */
struct sim_engine *engine_new(struct sim *sim, unsigned index);
/* The worker's wait begins: the kernel gets its requests. */
void engine_sleep(struct sim_engine *engine);
/* Whether the wait would end now. */
bool engine_ready(const struct sim_engine *engine);
/* The engine's own bound on the wait that begins: milliseconds, or -1. */
int64_t engine_wait_ms_max(const struct sim_engine *engine);

/* ---- internal to the engine's files ---- */

/* Hands the pending requests to the kernel. False: the kernel did not take all of them. */
bool engine_submit(struct sim_engine *engine);
/* Adds a completion. */
void engine_done(struct sim_conn *conn, struct sim_done done);

/* engine_ops.c */

/* The connection of a socket. Fails the run if there is none, or if it is closing or belongs to another engine. */
struct sim_conn *engine_conn(struct sim_engine *engine, const struct io_sock *sock);
void engine_start(struct sim_conn *conn, int operation);
/* Whether engine_attempt() would end, or bring on, the operation. */
bool engine_possible(const struct sim_conn *conn, int operation);
/* Carries an operation on, as the kernel does. True: there is something to tell. */
bool engine_attempt(struct sim_conn *conn, int operation, struct sim_done *done);

/* engine_tell.c: calls the event, unless the socket is closing. */
void engine_tell(struct sim_conn *conn, const struct sim_done *done);
/* Publishes buffers, and restarts the receives that had found none. */
void engine_feed_starving(struct sim_engine *engine);

/* engine_send.c */

/* Fails the run if the buffer of a pending send was freed: it is lent to the engine until `sent` or `closed`. */
void engine_check_lent(const struct sim_conn *conn);
/* The kernel makes the gathered sends. False: not all of them. */
bool engine_make_gathered(struct sim_engine *engine);
/* From within a dispatch, when there are many. */
void engine_gathered_full(struct sim_engine *engine);
/* The kernel has been given them, and told all failures that it will. */
void engine_gathered_noted(struct sim_engine *engine);
/* At the end of a dispatch: tells those that went out whole. */
void engine_settle(struct sim_engine *engine);
/* A gathered send did not go out whole. */
void engine_gathered_failed(struct sim_conn *conn, int result);
/* Continues the pending send, because the send buffer has space or there is an error. */
void engine_send_on(struct sim_conn *conn);
bool engine_is_gathered(const struct sim_conn *conn);

/* engine_close.c */

/* The kernel carries out a cancellation. */
void engine_cancel_now(struct sim_conn *conn);
/* An operation of a socket that closes has ended. */
void engine_closing_progress(struct sim_conn *conn, const struct sim_done *done);
/* Closes those with nothing in flight, or leaves some for later. */
void engine_tell_closed(struct sim_engine *engine);

/* Of struct io_ops: engine_ops.c, engine_send.c, engine_close.c, engine_calls.c, engine_pipe.c. */
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
void engine_look_again(struct io *io);
void engine_clear_event(struct io *io, struct io_sock *sock);
int engine_socket(struct io *io, int family);
int engine_accept(struct io *io, struct io_sock *listener, struct addr *peer);
bool engine_has_clients(struct io *io, struct io_sock *listener);
int64_t engine_queued_ms(struct io *io, int fd);
int engine_listen_again(struct io *io, struct io_sock *listener, int backlog);
bool engine_is_shut(struct io *io, struct io_sock *listener);
bool engine_stop_queueing(struct io *io, struct io_sock *listener);
void engine_set_congestion(struct io *io, int fd, const char *name);
void engine_discard(struct io *io, int fd);
int engine_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes);
void engine_pipe_close(struct io *io, struct io_pipe *pipe);
ssize_t engine_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
ssize_t engine_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe);

#endif
