/* io/uring.h: the struct and functions that the sources of the io_uring engine share. Private to src/io. Each worker has one instance, used only by its
 * thread. */
#ifndef IO_URING_H
#define IO_URING_H

#include <liburing.h>
#include <stdbool.h>

#include "io/closing.h"
#include "io/handles.h"
#include "io/io.h"

/* Maximum number of buffers that the kernel can fill between two turns; a power of two. */
enum { URING_PUBLISHED = 256, URING_BUFFER_GROUP = 1 };

enum { URING_SQ_ENTRIES = 1024 };

/* Maximum number of gathered sends that are not known to be complete. Further sends are made directly. */
enum { URING_GATHERED_MAX = 512 };

/* Operations. The bit of an operation in io_sock.in_flight is 1 << operation. Completions of OP_UNHEARD are ignored. */
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
    bool min_wait;        /* the kernel can leave events waiting for a time (min_wait) */
    bool registered;      /* the ring's descriptor is registered, which makes io_uring_enter(2) cheaper */
    struct handles handles;
    int failed;           /* negative errno that ends the worker: the kernel accepts no more requests, or failed a send that was counted as complete */
    struct io_uring_sqe spare; /* returned for requests after the kernel has stopped accepting them */
    struct list starving; /* sockets whose receive found no published buffer; it is armed again when the turn has given buffers back */
    struct closing closing;
    struct io_uring_buf_ring *buffer_ring;
    uint32_t missing;     /* number of places in the ring without a buffer, because none was needed there so far or memory was exhausted */
    bool renews;          /* the next dispatch recreates the ring of buffers */
    bool withdrawn;       /* the kernel has no ring of buffers at present */
    bool lacks_ring;      /* the last attempt to register a ring of buffers failed for lack of memory */
    uint32_t taken;       /* number of buffers that the kernel filled in this dispatch */
    uint32_t taken_most;  /* maximum of `taken` since the last trim */
    uint64_t taken_ever;    /* number of buffers that the kernel filled in all earlier dispatches */
    uint64_t taken_trimmed; /* taken_ever at the last trim */
    uint64_t taken_renewed; /* taken_ever when the ring was last recreated */
    uint32_t used_renewed;  /* number of buffers in use after the ring was last recreated */
    struct buffer *published[URING_PUBLISHED];

    bool sets_options;          /* the kernel sets socket options by requests */
    uint32_t option_next;
    union uring_option options[URING_SQ_ENTRIES];

    bool gathers;               /* sends are submitted together with the wait */
    bool hurried;               /* a caller needs `sent` of a gathered send, so the next wait does not sleep */
    uint32_t gathered_count;    /* number of entries in gathered[]: sends that were started and are not known to be complete */
    uint32_t gathered_prepared; /* number of entries, from the first, for which requests have been prepared */
    bool gathered_taken;        /* the kernel took all requests at the last submission; it leaves some in the queue if it lacks memory */
    bool gathered_beside;       /* at the last submission, some completions had no space in the queue; they are not known to have moved into it since */
    uint32_t gathered_tail;     /* end of the completion queue when the last submission returned */
    uint64_t gathered_ns;       /* time of the last submission */
    struct io_sock *gathered[URING_GATHERED_MAX]; /* sockets whose sends are gathered; NULL: the send posted a completion and is handled on its own */
};

static inline struct uring *uring_of(struct io *io)
{
    return container_of(io, struct uring, io);
}

/* ---- uring_buffers.c: the buffers that the kernel fills ---- */

/* Registers the ring of buffers and publishes the first ones. Returns 0 or a negative errno. */
int uring_buffers_init(struct uring *uring);
/* Frees the buffers. Call it after the ring was closed. */
void uring_buffers_deinit(struct uring *uring);

/* Takes the buffer that a completion names from the published ones. Sets `*place` to its place in the ring. */
struct buffer *uring_buffers_take(struct uring *uring, const struct io_uring_cqe *cqe, unsigned short *place);
/* Publishes the buffer at this place (again), or a new buffer. */
void uring_buffers_publish(struct uring *uring, struct buffer *buffer, unsigned short place);
void uring_buffers_publish_new(struct uring *uring, unsigned short place);
/* Publishes buffers at the empty places, as far as there is memory. Returns false if there is no ring. */
bool uring_buffers_publish_missing(struct uring *uring);

/* Call these before and after a dispatch reads completions. If uring_trim() has asked for it, they recreate the ring: the kernel releases all buffers, the
 * filled ones are delivered, and the others go back to the pool. */
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

/* Returns the next free request, never NULL. If the kernel accepts no more requests, the engine has failed and the request has no effect. */
struct io_uring_sqe *uring_next_sqe(struct uring *uring);
/* Returns a request for a socket, which must have no such operation in flight. Set its user_data with uring_sqe_name() after preparing it. */
struct io_uring_sqe *uring_sqe_for(struct uring *uring, struct io_sock *sock, int operation);
void uring_sqe_name(struct uring *uring, struct io_uring_sqe *sqe, const struct io_sock *sock, int operation);
/* Prepares the request of a gathered send. */
void uring_prepare_gathered(struct uring *uring, struct io_sock *sock);
/* Cancels one operation in flight on a closing socket, unless a cancellation is in flight or all operations were cancelled. */
void uring_cancel(struct uring *uring, struct io_sock *sock);
/* Handles the end of a cancellation: continues with the operations that are still in flight. */
void uring_cancel_ended(struct uring *uring, struct io_sock *sock, int result);

/* ---- uring_writable.c: waiting for a full socket to be writable ---- */

/* Of struct io_ops. */
int uring_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes);

/* Waits until a full socket is writable, then calls uring_writable(). */
void uring_wait_writable(struct uring *uring, struct io_sock *sock);
/* Handles the result of that wait: poll(2) events or a negative errno. */
void uring_writable(struct uring *uring, struct io_sock *sock, int result);
/* Continues a pending send now, and each time the socket is writable. */
void uring_send_on(struct uring *uring, struct io_sock *sock);

/* ---- uring_options.c ---- */

/* Sets a socket's options before any later request. The caller must start an operation next, which keeps the descriptor open until then. */
void uring_set_options(struct uring *uring, int fd, int family, const struct io_socket_options *options);
/* Tests whether this kernel sets options by requests. The ring must be idle. */
bool uring_options_self_test(struct uring *uring);

/* ---- uring_sending.c: gathered sends, submitted together ---- */

/* Gathers a send; `data` stays borrowed until it is complete. Returns false if the engine does not gather, or has gathered URING_GATHERED_MAX sends: the caller
 * then sends directly. */
bool uring_sending_add(struct uring *uring, struct io_sock *sock, const uint8_t *data, uint32_t bytes);
/* Prepares a request for each gathered send that has none yet. */
void uring_sending_prepare(struct uring *uring);
/* Records that the prepared requests were submitted, and the time of that. Call it after the call into the kernel that submitted them. */
void uring_sending_submitted(struct uring *uring, uint64_t at_ns);
/* Submits the gathered sends if there are enough for a batch. Called during a dispatch. */
void uring_sending_full(struct uring *uring);
/* Handles the completion of a gathered send, which comes only if not all bytes were sent. `result`: the number of bytes sent, or a negative errno. */
void uring_sending_failed(struct uring *uring, struct io_sock *sock, int result);
/* Calls `sent` for the submitted sends that have posted no completion. Does so only when all completions that existed after the submission have been read.
 * Called during a dispatch. */
void uring_sending_settle(struct uring *uring);

/* ---- uring_wait.c, of struct io_ops ---- */

int uring_wait(struct io *io, int64_t timeout_ms);

/* ---- uring.c: handling of completions ---- */

/* Reports the end of a pending send. */
void uring_sent(struct io_sock *sock, int error);
/* Handles the end of an operation on a closing socket: closes it after the last one. */
void uring_closing_progress(struct uring *uring, struct io_sock *sock);

#endif
