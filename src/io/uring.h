/* io/uring.h: what the files of the io_uring engine share. Private to src/io; one per worker, used by its thread alone. */
#ifndef IO_URING_H
#define IO_URING_H

#include <liburing.h>
#include <stdbool.h>

#include "io/closing.h"
#include "io/handles.h"
#include "io/io.h"

/* Buffers the kernel may fill between two turns; a power of two. */
enum { URING_PUBLISHED = 256, URING_BUFFER_GROUP = 1 };

enum { URING_SQ_ENTRIES = 1024 };

/* Most sends that one turn gathers. */
enum { URING_GATHERED_MAX = 512 };

/* Operations; the bit of one in io_sock.in_flight is 1 << it. Of what has OP_UNHEARD nobody wants to know. */
enum { OP_RECEIVE, OP_CONNECT, OP_IN, OP_OUT, OP_WRITABLE, OP_CANCEL, OP_GATHERED, OP_UNHEARD };

/* The value of an option that a request sets. */
union uring_option {
    int number;
    char text[16]; /* without an ending zero: the name of a congestion control */
};

struct uring {
    struct io io; /* first */
    struct io_uring ring;
    bool multishot;
    bool min_wait;        /* a wait can let events gather */
    bool registered;      /* the ring's descriptor: cheaper to enter */
    struct handles handles;
    int failed;           /* negative errno that ends the worker: the kernel takes no request any more, or took back a send that was counted as done */
    struct io_uring_sqe spare; /* where requests go that the kernel does not take any more */
    struct list starving; /* receives that found no buffer published: armed again when the turn has given buffers back */
    struct closing closing;
    struct io_uring_buf_ring *buffer_ring;
    uint32_t missing;     /* places of the ring without a buffer: not needed so far, or there was no memory */
    bool renews;          /* the next dispatch makes the ring of buffers anew */
    bool withdrawn;       /* the kernel has no ring of buffers just now, */
    bool lacks_ring;      /* for want of memory */
    uint32_t taken;       /* buffers that the kernel has filled in this dispatch */
    uint32_t taken_most;  /* the largest such number since the last trim */
    uint64_t taken_ever;
    uint64_t taken_trimmed; /* taken_ever at the last trim */
    uint64_t taken_renewed; /* taken_ever when the ring was last made anew */
    uint32_t used_renewed;  /* buffers in use after that */
    struct buffer *published[URING_PUBLISHED];

    bool sets_options;          /* by requests */
    uint32_t option_next;
    union uring_option options[URING_SQ_ENTRIES];

    bool gathers;               /* sends go together with the wait */
    bool hurried;               /* someone needs to know that one of them is done: the wait only looks */
    uint32_t gathered_count;    /* those that were started and are not known to be done */
    uint32_t gathered_prepared; /* the first of them: requests were made for these */
    bool gathered_taken;        /* by the kernel: it takes none for lack of memory */
    bool gathered_beside;       /* when they were handed over, some completions had no room in the queue, and are not known to have moved there since */
    uint32_t gathered_tail;     /* end of the completion queue when they had been handed over */
    uint64_t gathered_ns;       /* when the last of them were */
    struct io_sock *gathered[URING_GATHERED_MAX]; /* NULL: failed, and told */
};

static inline struct uring *uring_of(struct io *io)
{
    return container_of(io, struct uring, io);
}

/* ---- uring_buffers.c: the buffers that the kernel fills ---- */

/* Registers the ring of buffers and publishes the first of them. 0 or a negative errno. */
int uring_buffers_init(struct uring *uring);
/* After the ring has ended. */
void uring_buffers_deinit(struct uring *uring);

/* Takes the buffer that a completion names out of the published ones; `*place` is where it was. */
struct buffer *uring_buffers_take(struct uring *uring, const struct io_uring_cqe *cqe, unsigned short *place);
/* Gives the buffer to the kernel (again), or a new one in its place. */
void uring_buffers_publish(struct uring *uring, struct buffer *buffer, unsigned short place);
void uring_buffers_publish_new(struct uring *uring, unsigned short place);
/* Fills the places that are empty, as far as there is memory. False: there is no ring. */
bool uring_buffers_publish_missing(struct uring *uring);

/* Before and after a dispatch reads completions. When uring_trim() has asked for it, the ring is made anew around that: the kernel lets go of all buffers, those
 * that it has filled are told, the others go back to the pool. */
void uring_buffers_withdraw(struct uring *uring);
void uring_buffers_renew(struct uring *uring);

/* Of struct io_ops. */
bool uring_trimmable(struct io *io);
void uring_trim(struct io *io);

/* ---- uring_ops.c: requests ---- */

/* Of struct io_ops. */
int uring_open(struct io *io, struct io_sock *sock);
void uring_close(struct io *io, struct io_sock *sock);
void uring_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options);
void uring_receive(struct io *io, struct io_sock *sock);
void uring_poll(struct io *io, struct io_sock *sock, enum io_side side);
ssize_t uring_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
void uring_look_again(struct io *io);

/* The next free request; never NULL. When the kernel takes none any more the engine has failed, and what is asked for is in vain. */
struct io_uring_sqe *uring_next_sqe(struct uring *uring);
/* One of a socket's, which has none of that kind in flight; its user_data must be set by uring_sqe_name() after it was prepared. */
struct io_uring_sqe *uring_sqe_for(struct uring *uring, struct io_sock *sock, int operation);
void uring_sqe_name(struct uring *uring, struct io_uring_sqe *sqe, const struct io_sock *sock, int operation);
/* The request of a gathered send. */
void uring_prepare_gathered(struct uring *uring, struct io_sock *sock);
/* Cancels one of the operations in flight on a socket that closes, unless a cancellation is underway or all were cancelled. */
void uring_cancel(struct uring *uring, struct io_sock *sock);
/* A cancellation has ended: goes on with what is still in flight. */
void uring_cancel_ended(struct uring *uring, struct io_sock *sock, int result);

/* ---- uring_writable.c: waiting for a full socket to be writable ---- */

/* Of struct io_ops. */
int uring_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes);

/* Ends in uring_writable(). The socket was just found full. */
void uring_wait_writable(struct uring *uring, struct io_sock *sock);
/* The result of that wait: poll(2) events or a negative errno. */
void uring_writable(struct uring *uring, struct io_sock *sock, int result);
/* Continues a pending send, now and whenever the socket is writable. */
void uring_send_on(struct uring *uring, struct io_sock *sock);

/* ---- uring_options.c ---- */

/* Sets a socket's options before any request that follows. It must have one in flight soon, which keeps the descriptor from being closed before. */
void uring_set_options(struct uring *uring, int fd, int family, const struct io_socket_options *options);
/* Whether this kernel sets options by requests. The ring is idle. */
bool uring_options_self_test(struct uring *uring);

/* ---- uring_sending.c: sends, handed over together ---- */

/* Takes a send that was just started. False: it must be made at once. */
bool uring_sending_add(struct uring *uring, struct io_sock *sock, const uint8_t *data, uint32_t bytes);
/* Makes requests of those that are none yet; and notes that the kernel was given them, at that time. */
void uring_sending_prepare(struct uring *uring);
void uring_sending_submitted(struct uring *uring, uint64_t at_ns);
/* Hands them over when they are many; from dispatch. */
void uring_sending_full(struct uring *uring);
/* A completion: one that did not go out whole. */
void uring_sending_failed(struct uring *uring, struct io_sock *sock, int result);
/* Tells those that are done, once every completion that there was after they had been handed over is read; from dispatch. */
void uring_sending_settle(struct uring *uring);

/* ---- uring_wait.c, of struct io_ops ---- */

int uring_wait(struct io *io, int64_t timeout_ms);

/* ---- uring.c: what completions mean ---- */

/* A pending send has ended. */
void uring_sent(struct io_sock *sock, int error);
/* An operation of a socket that closes has ended: was it the last? */
void uring_closing_progress(struct uring *uring, struct io_sock *sock);

#endif
