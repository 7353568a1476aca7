/* io/io.h: the seam between a worker and the kernel. Every system call of the data path goes through here.
 *
 * One `struct io` per worker, made, used and freed by that worker's thread alone. Three engines stand behind it: io_uring, epoll and, for tests, a
 * simulated kernel (test/sim). They promise the same:
 *
 *  - A socket is a `struct io_sock` that the caller embeds in its own object and keeps where it is until `closed` was called for it.
 *  - Operations end in calls of the socket's `struct io_events`, always from io_dispatch(), never from within the call that started them.
 *  - At most one receive, one send, one connect and one poll per direction are in flight for a socket.
 *  - Received bytes come as borrowed buffers under a credit; when it is used up the receive is at rest, with nothing in flight. That bounds the memory
 *    that a peer can cost, and it is the moment at which a direction may change from copy to splice or back.
 *  - After io_close() no event but `closing` and `closed` comes, and these only when nothing is in flight any more: the kernel holds no pointer into the
 *    socket.
 *
 * Errors are negative errno values in results and positive in events' `error` (0: none). */
#ifndef IO_IO_H
#define IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/list.h"
#include "io/buffer.h"

struct io;
struct io_sock;

enum io_kind { IO_URING, IO_EPOLL };

/* Why a receive came to rest. */
enum io_rest {
    IO_REST_CREDIT, /* as many bytes as were asked for have come (a little more may have, at most one buffer) */
    IO_REST_EOF,    /* the peer sent FIN */
    IO_REST_ERROR,  /* `error` says which */
};

/* What a poll waits for. */
enum io_side { IO_IN, IO_OUT };

/* io_send(): */
enum { IO_SENT = 0, IO_PENDING = 1 };

struct io_events {
    void (*connected)(struct io_sock *sock, int error);
    /* Bytes came. True: the receiver keeps the buffer, and frees it with buffer_free() when done; false: it was only borrowed. */
    bool (*received)(struct io_sock *sock, struct buffer *buffer);
    void (*rest)(struct io_sock *sock, enum io_rest why, int error);
    /* A send that was IO_PENDING has ended: all bytes are with the kernel, or none of the rest ever will be. */
    void (*sent)(struct io_sock *sock, int error);
    /* What io_poll() asked for has come, or an error or hang-up has: the next call on the socket tells which. */
    void (*readable)(struct io_sock *sock);
    void (*writable)(struct io_sock *sock);
    /* About to be closed, with nothing in flight any more: a listener may accept for the last time. May be NULL. */
    void (*closing)(struct io_sock *sock);
    /* Closed; the memory is the caller's again. */
    void (*closed)(struct io_sock *sock);
};

/* One socket (or listener, or eventfd) known to an engine. All fields but `events` are the engine's. */
struct io_sock {
    const struct io_events *events;
    int fd;              /* -1: none */
    uint32_t slot;       /* place in the engine's table of handles */
    uint32_t credit;     /* bytes the receive may still deliver */
    uint8_t in_flight;   /* a bit per operation the kernel (io_uring) or the caller (epoll: wanted) waits on */
    union {
        uint8_t ready;     /* epoll and sim: edges seen and not used up */
        uint8_t cancelled; /* io_uring, closing: operations that the kernel was asked to end */
    };
    bool closing;
    bool reset;          /* close with RST */
    bool close_at_once;  /* closing it is not put off by other events */
    bool wants_writable, was_writable, peer_ended; /* io_uring: see uring_wait_writable() */
    const uint8_t *send_data; /* what is left of a pending send; borrowed from the caller until `sent` */
    uint32_t send_bytes;
    int connect_error;   /* errno of a connect(2) that failed at once, until `connected` tells it */
    struct list link;    /* in the engine's list of sockets that have something to do */
};

/* A pipe for splicing. All zero with fds -1 is "none". */
struct io_pipe {
    int fds[2];          /* read end, write end */
    uint32_t bytes;      /* in it now */
    uint32_t capacity;   /* as the kernel reported it */
    uint8_t size;        /* for whoever keeps it */
};

/* Options of a new connection's socket; 0 leaves the system's. */
struct io_socket_options {
    uint32_t tcp_user_timeout_ms;
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
    const char *congestion; /* TCP's algorithm, at most 15 bytes; NULL leaves the system's */
};

struct io_options {
    uint32_t sockets_max;  /* handles: sockets, listeners and the like open at once */
    bool spins;            /* `pace.spin_us` will be used */
    uint32_t ring_entries; /* io_uring: most requests before they are handed over, and an eighth of the completions that have room; 0: the usual 1,024 */
};

/* What an engine is: chosen once, never tested for on the way. */
struct io_ops {
    const char *name;
    void (*free)(struct io *io);
    int (*wait)(struct io *io, int64_t timeout_ms);
    void (*dispatch)(struct io *io);
    int (*open)(struct io *io, struct io_sock *sock);
    void (*close)(struct io *io, struct io_sock *sock);
    void (*connect)(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options);
    void (*receive)(struct io *io, struct io_sock *sock);
    int (*send)(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes);
    void (*hurry)(struct io *io);
    void (*poll)(struct io *io, struct io_sock *sock, enum io_side side);
    int (*socket)(struct io *io, int family);
    int (*accept)(struct io *io, struct io_sock *listener, struct addr *peer);
    int (*listen_again)(struct io *io, struct io_sock *listener, int backlog);
    bool (*is_shut)(struct io *io, struct io_sock *listener);
    bool (*stop_queueing)(struct io *io, struct io_sock *listener);
    void (*set_congestion)(struct io *io, int fd, const char *name);
    void (*keep_alive)(struct io *io, struct io_sock *sock, uint32_t idle_ms);
    void (*discard)(struct io *io, int fd);
    ssize_t (*splice_in)(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
    ssize_t (*splice_out)(struct io *io, struct io_sock *sock, struct io_pipe *pipe);
    int (*shutdown)(struct io *io, struct io_sock *sock);
    uint32_t (*undelivered)(struct io *io, struct io_sock *sock);
    int (*broken)(struct io *io, struct io_sock *sock);
    bool (*met_itself)(struct io *io, struct io_sock *sock, const struct addr *peer);
    void (*look_again)(struct io *io);
    void (*clear_event)(struct io *io, struct io_sock *sock);
    bool (*trimmable)(struct io *io);
    void (*trim)(struct io *io);
    int (*pipe_open)(struct io *io, struct io_pipe *pipe, uint32_t bytes);
    void (*pipe_close)(struct io *io, struct io_pipe *pipe);
};

/* How a wait may spend its time. All zero: asleep until the first event. */
struct io_pace {
    uint32_t spin_us;       /* look for so long before going to sleep */
    uint32_t gather_events; /* sleep until so many events have come ... */
    uint32_t gather_us;     /* ... or so much time has passed, and then until the first; io_uring from Linux 6.12 */
};

/* As `gather_events`: all that come in the time. Every engine gathers those. */
#define IO_GATHER_ALL UINT32_MAX

/* The part of an engine that all share; each embeds it first. */
struct io {
    const struct io_ops *ops;
    struct buffer_pool buffers;
    struct io_pace pace; /* of the waits to come; the worker's to set */

    uint64_t now_ns;     /* the clock, read once after every wait */
    uint64_t waited_ns;  /* how long the last wait took, with handing requests over, */
    uint64_t spun_ns;    /* how much of that it was looking, */
    uint32_t events;     /* and how many it brought */
    uint64_t sent_ns;    /* in `sent`: when the kernel took the last of those bytes, which may have been before the last wait */
};

/* ---- choosing (control's thread, before workers start) ---- */

/* What was chosen and why, for one log line. */
struct io_choice {
    enum io_kind kind;
    bool multishot;     /* io_uring: multishot receive that stops by itself after a credit; else one receive at a time */
    bool gathers;       /* io_uring: sends go to the kernel together, with the wait */
    unsigned setup;     /* io_uring: IORING_SETUP_* flags that this kernel takes */
    char reason[160];   /* "io_uring: multishot receive with credit, ...", "epoll: io_uring is blocked here (EPERM) ..." */
};

/* Tries the kernel with functional self-tests, best first. `wanted` is IO_URING or IO_EPOLL, or -1 for whatever is best. Returns 0, or a negative errno
 * when IO_URING was asked for by name and cannot be had (`reason` then says why). */
int io_choose(int wanted, struct io_choice *choice);

/* Prints what io_choose() finds, a line per engine, for `penstock version`. */
void io_tiers_print(FILE *out);

/* ---- life (worker) ---- */

/* Returns NULL and sets `*error` to a negative errno. */
struct io *io_new(const struct io_choice *choice, const struct io_options *options, int *error);

/* All sockets must have been closed. NULL is allowed. */
void io_free(struct io *io);

/* Hands what was asked for to the kernel and waits until something has happened or the time is over; -1 waits without end, 0 only looks.
 * Returns 0; a negative errno is fatal for the worker. */
static inline int io_wait(struct io *io, int64_t timeout_ms)
{
    return io->ops->wait(io, timeout_ms);
}

/* Calls the events of what has happened. */
static inline void io_dispatch(struct io *io)
{
    io->ops->dispatch(io);
}

/* Puts a socket under the engine's care. `fd` is non-blocking and now the engine's, also on failure (it is closed then, with RST).
 * 0, or -ENOMEM, -ENFILE (more than sockets_max), or what the kernel says. */
static inline int io_open(struct io *io, struct io_sock *sock, int fd, const struct io_events *events)
{
    *sock = (struct io_sock){.events = events, .fd = fd, .reset = true}; /* should opening fail, a peer must not take that for an orderly end */
    list_init(&sock->link);
    return io->ops->open(io, sock);
}

/* Ends everything in flight, closes the descriptor (when: io/closing.h), then calls `closed`, from a later io_dispatch(). `reset`: with RST, dropping what was
 * not sent yet. */
static inline void io_close(struct io *io, struct io_sock *sock, bool reset)
{
    sock->reset = reset;
    io->ops->close(io, sock);
}

/* Whether the engine has memory for buffers that may not be needed any more, and gives some of it back. From time to time, not from within a dispatch. */
static inline bool io_trimmable(struct io *io)
{
    return io->ops->trimmable(io);
}

static inline void io_trim(struct io *io)
{
    io->ops->trim(io);
}

/* ---- sockets (worker) ---- */

/* A new non-blocking socket to connect with. A descriptor, to be given to io_open(), or a negative errno. */
static inline int io_socket(struct io *io, int family)
{
    return io->ops->socket(io, family);
}

/* Closes a descriptor that never came under an engine's care, with RST. */
static inline void io_discard(struct io *io, int fd)
{
    io->ops->discard(io, fd);
}

/* Sets the options and connects. Ends in `connected`. `addr` must stay until then; `options` is read during the call. */
static inline void io_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    io->ops->connect(io, sock, addr, options);
}

/* A connection from a listener: a non-blocking descriptor with the peer's address in `peer`, or a negative errno (-EAGAIN: none is waiting). Poll with
 * io_poll(listener, IO_IN) first and again after -EAGAIN. */
static inline int io_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    return io->ops->accept(io, listener, peer);
}

/* Whether somebody has shut a UNIX listener from outside, on which accepting then only says -EAGAIN. */
static inline bool io_is_shut(struct io *io, struct io_sock *listener)
{
    return io->ops->is_shut(io, listener);
}

/* Listens again on a socket that somebody has shut from outside: accepting on TCP then fails with -EINVAL. 0 or a negative errno; a UNIX socket stays shut. */
static inline int io_listen_again(struct io *io, struct io_sock *listener, int backlog)
{
    return io->ops->listen_again(io, listener, backlog);
}

/* A listener is about to close: lets no new client into its queue. Those who are in it can still be accepted, and TCP handshakes that have begun can end. Who comes
 * later is refused (UNIX), or not answered, so that a TCP client's kernel asks again after a second. False: the kernel does not allow it, and clients still get in. */
static inline bool io_stop_queueing(struct io *io, struct io_sock *listener)
{
    return io->ops->stop_queueing(io, listener);
}

/* Sets TCP's congestion control on an accepted descriptor. Should the kernel refuse, it keeps the one that it has. */
static inline void io_set_congestion(struct io *io, int fd, const char *name)
{
    io->ops->set_congestion(io, fd, name);
}

/* Lets TCP probe a peer that has been quiet for so long (rounded up to seconds), from now on; nothing on a UNIX socket. */
static inline void io_keep_alive(struct io *io, struct io_sock *sock, uint32_t idle_ms)
{
    io->ops->keep_alive(io, sock, idle_ms);
}

/* Delivers bytes by `received` until `credit_bytes` have come or the stream ends, then calls `rest`. None may be in flight. */
static inline void io_receive(struct io *io, struct io_sock *sock, uint32_t credit_bytes)
{
    sock->credit = credit_bytes;
    io->ops->receive(io, sock);
}

/* IO_SENT: all bytes are with the kernel. IO_PENDING: `data` stays borrowed until `sent`. Or a negative errno: the socket can send no more. No other send may be
 * pending. The bytes are with the kernel as soon as it takes them; but `sent` alone does not end a wait: who needs it to go on calls io_hurry(). */
static inline int io_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    return io->ops->send(io, sock, data, bytes);
}

/* Something waits for the `sent` of a send that is pending: the next wait ends at once if the kernel has taken it. */
static inline void io_hurry(struct io *io)
{
    io->ops->hurry(io);
}

/* Calls `readable` or `writable` once, when the socket is (at once if it is already). None of that side may be in flight. */
static inline void io_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    io->ops->poll(io, sock, side);
}

/* Moves up to `bytes` from the socket into the pipe: the number moved, -EAGAIN when the socket is empty or the pipe full (which of the two is not known unless
 * the pipe is empty), -EINVAL when this socket cannot be spliced. 0 at FIN; but TCP's urgent mark stops a splice, and then what is told, 0 or an error, is
 * behind bytes that only a receive takes. */
static inline ssize_t io_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    return io->ops->splice_in(io, sock, pipe, bytes);
}

/* Moves what the pipe holds to the socket: the number moved (may be short), -EAGAIN when the socket takes nothing now. */
static inline ssize_t io_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    return io->ops->splice_out(io, sock, pipe);
}

/* Sends FIN. 0, or a negative errno when the connection is gone already. No send may be pending. */
static inline int io_shutdown(struct io *io, struct io_sock *sock)
{
    return io->ops->shutdown(io, sock);
}

/* Bytes that were sent and that the peer has not acknowledged yet; 0 also when it never will, because the connection is gone. With 0 a reset takes nothing
 * from it. */
static inline uint32_t io_undelivered(struct io *io, struct io_sock *sock)
{
    return io->ops->undelivered(io, sock);
}

/* After the process was stopped: receives that missed what is there begin anew. At TCP's urgent mark the kernel reads nothing while a signal is pending
 * (tcp_recvmsg), and would then wait for what comes next, which may be nothing. */
static inline void io_look_again(struct io *io)
{
    io->ops->look_again(io);
}

/* Asks whether the connection is gone, without reading from it: the errno (ECONNRESET, or EPIPE after FIN; ETIMEDOUT, ...), or 0. A receive or a poll tells by itself; this is for
 * a socket on which neither is in flight. The error is told once. */
static inline int io_broken(struct io *io, struct io_sock *sock)
{
    return io->ops->broken(io, sock);
}

/* Whether a TCP connection leads to the very socket it came from, which is possible where nobody listens. `peer` is what was connected to. */
static inline bool io_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer)
{
    return io->ops->met_itself(io, sock, peer);
}

/* Makes an eventfd that was opened as a socket unreadable; then io_poll() waits for the next write to it. */
static inline void io_clear_event(struct io *io, struct io_sock *sock)
{
    io->ops->clear_event(io, sock);
}

/* A pipe that should hold `bytes`; look at `capacity`: an ordinary user gets less when it has many. 0 or a negative errno. */
static inline int io_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    return io->ops->pipe_open(io, pipe, bytes);
}

/* Closes; what is in it is gone. Safe on "none" and twice. */
static inline void io_pipe_close(struct io *io, struct io_pipe *pipe)
{
    io->ops->pipe_close(io, pipe);
}

#endif
