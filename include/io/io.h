/* io/io.h: the interface between a worker and the kernel. Every system call of the data path goes through it.
 *
 * Each worker has one `struct io`, which only that worker's thread creates, uses and frees. There are three engines: io_uring, epoll and, for tests, a
 * simulated kernel (test/sim). They have the same contract:
 *
 *  - A socket is a `struct io_sock`. The caller embeds it in an object of its own, and must not move or free it before `closed` is called.
 *  - Operations end with a call to one of the socket's `struct io_events`. These calls come only from io_dispatch(), never from the call that started the
 *    operation.
 *  - At most one receive, one send, one connect and one poll for each direction are in flight for a socket.
 *  - Received bytes arrive in borrowed buffers under a credit. When the credit is used up, the receive is at rest: nothing is in flight. This bounds the memory
 *    that a peer can use, and only then may a direction change between copy and splice.
 *  - After io_close(), only the events `closing` and `closed` come, and only when nothing is in flight any more. The kernel then has no pointer into the
 *    socket.
 *
 * Results are negative errno values. The parameter `error` of events is a positive errno, or 0 for none. */
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
struct io_batch;
struct io_outgoing;
struct io_sock;

enum io_kind { IO_URING, IO_EPOLL };

/* Why a receive has ended and is at rest. */
enum io_rest {
    IO_REST_CREDIT, /* the credit is used up; up to one buffer more may have arrived */
    IO_REST_EOF,    /* the peer sent FIN */
    IO_REST_ERROR,  /* `error` is the errno */
};

/* What a poll waits for. */
enum io_side { IO_IN, IO_OUT };

/* Results of io_send(). */
enum { IO_SENT = 0, IO_PENDING = 1 };

struct io_events {
    void (*connected)(struct io_sock *sock, int error);
    /* Bytes arrived. Return true to keep the buffer, and free it later with buffer_free(). Return false to give it back. */
    bool (*received)(struct io_sock *sock, struct buffer *buffer);
    void (*rest)(struct io_sock *sock, enum io_rest why, int error);
    /* A send that was IO_PENDING has ended. Without an error, the kernel has taken all bytes; with one, it takes no more of them. */
    void (*sent)(struct io_sock *sock, int error);
    /* The condition of io_poll() is met, or there was an error or a hang-up; the next call on the socket shows which. */
    void (*readable)(struct io_sock *sock);
    void (*writable)(struct io_sock *sock);
    /* The socket is about to be closed and nothing is in flight any more. A listener may accept one last time. May be NULL. */
    void (*closing)(struct io_sock *sock);
    /* The socket is closed. The caller may free or reuse its memory. */
    void (*closed)(struct io_sock *sock);
};

/* A socket, listener or eventfd known to an engine. All fields except `events` belong to the engine. */
struct io_sock {
    const struct io_events *events;
    int fd;              /* -1: none */
    uint32_t slot;       /* index in the engine's table of handles */
    uint32_t credit;     /* number of bytes that the receive may still deliver */
    uint8_t in_flight;   /* one bit for each operation that has not ended */
    union {
        uint8_t ready;     /* epoll: edges that were seen and are not used up */
        uint8_t cancelled; /* io_uring, while closing: operations that were cancelled */
    };
    bool closing;
    bool reset;          /* close with RST */
    bool close_at_once;  /* close it without waiting until other events are handled */
    bool wants_writable, was_writable, peer_ended; /* io_uring: see uring_wait_writable() */
    bool min_hops;       /* listener: accepted sockets inherit a minimum TTL, which must be reset */
    const uint8_t *send_data; /* unsent bytes of a pending send; borrowed from the caller until `sent` */
    uint32_t send_bytes;
    int connect_error;   /* errno of a connect(2) that failed at once, until `connected` reports it */
    struct list link;    /* in a list of the engine: sockets with work to do */
};

/* A pipe for splicing. A struct that is all zero except for fds of -1 is "none". */
struct io_pipe {
    int fds[2];          /* read end, write end */
    uint32_t bytes;      /* number of bytes in the pipe now */
    uint32_t capacity : 24; /* number of bytes it can hold, as reported by the kernel; at most 1 MiB is requested */
    uint8_t size;        /* for the owner's use: its size class */
};

/* Options of a new connection's socket; 0: the system's default. */
struct io_socket_options {
    uint32_t keepalive_ms; /* idle time before the first TCP keepalive probe; a whole number of seconds */
    uint32_t tcp_user_timeout_ms;
    uint32_t receive_buffer_bytes;
    uint32_t send_buffer_bytes;
    const char *congestion; /* TCP congestion control, at most 15 bytes; NULL: the system's default */
};

/* What the kernel knows about a TCP connection. */
struct io_tcp_info {
    uint32_t rtt_us;       /* smoothed round-trip time; 0: not measured yet */
    uint32_t retransmits;  /* number of segments that were sent again, since the connection began */
};

struct io_options {
    uint32_t sockets_max;  /* maximum number of handles: open sockets, listeners and eventfds */
    bool busy_polls;       /* the worker will set `waiting.busy_poll_us` */
    uint32_t ring_entries; /* io_uring: size of the submission queue; the completion queue is eight times as large; 0: 1,024 */
};

/* The functions of an engine. They are chosen once; no other code tests which engine runs. */
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
    bool (*has_clients)(struct io *io, struct io_sock *listener);
    uint64_t (*arrived_ns)(struct io *io, int fd);
    int (*listen_again)(struct io *io, struct io_sock *listener, int backlog);
    bool (*is_shut)(struct io *io, struct io_sock *listener);
    bool (*stop_queueing)(struct io *io, struct io_sock *listener);
    void (*set_congestion)(struct io *io, int fd, const char *name);
    void (*discard)(struct io *io, int fd);
    int (*connect_datagram)(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes);
    int (*receive_datagrams)(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count);
    void (*send_datagrams)(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count);
    ssize_t (*splice_in)(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
    ssize_t (*splice_out)(struct io *io, struct io_sock *sock, struct io_pipe *pipe);
    int (*shutdown)(struct io *io, struct io_sock *sock);
    uint32_t (*undelivered)(struct io *io, struct io_sock *sock);
    int (*broken)(struct io *io, struct io_sock *sock);
    bool (*met_itself)(struct io *io, struct io_sock *sock, const struct addr *peer);
    bool (*tcp_info)(struct io *io, struct io_sock *sock, struct io_tcp_info *info);
    bool (*lacks_address)(struct io *io, const struct addr *to);
    void (*look_again)(struct io *io);
    void (*clear_event)(struct io *io, struct io_sock *sock);
    bool (*trimmable)(struct io *io);
    void (*trim)(struct io *io);
    int (*pipe_open)(struct io *io, struct io_pipe *pipe, uint32_t bytes);
    void (*pipe_close)(struct io *io, struct io_pipe *pipe);
};

/* How a wait spends its time. All zero: it sleeps until the first event. */
struct io_waiting {
    uint32_t busy_poll_us; /* busy-poll for this time before sleeping */
    uint32_t batch_us;     /* sleep for this time even if events arrive, and then until the first event */
};

/* The common part of all engines. Each embeds it as its first member. */
struct io {
    const struct io_ops *ops;
    struct buffer_pool buffers;
    struct io_waiting waiting; /* for the next waits; set by the worker */

    uint64_t now_ns;     /* clock_now_ns(), read once after every wait */
    uint64_t waited_ns;  /* duration of the last wait, including the submission of requests */
    uint64_t polled_ns;  /* the part of waited_ns that was spent busy-polling */
    uint32_t events;     /* number of events that the last wait returned */
    uint64_t sent_ns;    /* during `sent`: when the kernel took the last bytes of that send, which may be before the last wait */
};

/* ---- choosing (control's thread, before workers start) ---- */

/* The chosen engine, and the reason for one log line. */
struct io_choice {
    enum io_kind kind;
    bool multishot;     /* io_uring: multishot receives that the kernel ends after a credit; else one receive at a time */
    bool gathers;       /* io_uring: sends are submitted together, with the wait */
    unsigned setup;     /* io_uring: IORING_SETUP_* flags that this kernel accepts */
    char reason[160];   /* "io_uring: multishot receive with credit, ...", "epoll: io_uring is blocked here (EPERM) ..." */
};

/* Chooses an engine with functional self-tests, best first. `wanted` is IO_URING or IO_EPOLL, or -1 for the best. Returns 0, or a negative errno if `wanted` is
 * IO_URING and it does not work; `reason` then says why. */
int io_choose(int wanted, struct io_choice *choice);

/* Prints one line for each engine and one for the choice of io_choose(), for `penstock version`. */
void io_tiers_print(FILE *out);

/* ---- life (worker) ---- */

/* Creates an engine. On failure returns NULL and sets `*error` to a negative errno. */
struct io *io_new(const struct io_choice *choice, const struct io_options *options, int *error);

/* Frees an engine. All sockets must be closed. Accepts NULL. */
void io_free(struct io *io);

/* Submits the pending requests to the kernel, and waits for an event or for `timeout_ms` (-1: no limit; 0: does not wait). Returns 0, or a negative errno,
 * which is fatal for the worker. */
static inline int io_wait(struct io *io, int64_t timeout_ms)
{
    return io->ops->wait(io, timeout_ms);
}

/* Calls the event functions for everything that has happened. */
static inline void io_dispatch(struct io *io)
{
    io->ops->dispatch(io);
}

/* Adds a socket to the engine. `fd` must be non-blocking. The engine owns it from here on; on failure it is closed with RST. Returns 0, -ENOMEM, -ENFILE (more
 * than sockets_max), or another negative errno of the kernel. */
static inline int io_open(struct io *io, struct io_sock *sock, int fd, const struct io_events *events)
{
    *sock = (struct io_sock){.events = events, .fd = fd, .reset = true}; /* if opening fails, the peer must not see a normal end */
    list_init(&sock->link);
    return io->ops->open(io, sock);
}

/* Ends all operations in flight, closes the descriptor (io/closing.h says when), and calls `closed` from a later io_dispatch(). `reset`: closes with RST and
 * drops unsent bytes. */
static inline void io_close(struct io *io, struct io_sock *sock, bool reset)
{
    sock->reset = reset;
    io->ops->close(io, sock);
}

/* io_trimmable(): whether the engine has buffer memory that is probably no longer needed. io_trim(): returns some of it to the system. Call them from time
 * to time, but not during a dispatch. */
static inline bool io_trimmable(struct io *io)
{
    return io->ops->trimmable(io);
}

static inline void io_trim(struct io *io)
{
    io->ops->trim(io);
}

/* ---- sockets (worker) ---- */

/* Creates a non-blocking socket to connect with. Returns a descriptor for io_open(), or a negative errno. */
static inline int io_socket(struct io *io, int family)
{
    return io->ops->socket(io, family);
}

/* Closes, with RST, a descriptor that was never added to an engine. */
static inline void io_discard(struct io *io, int fd)
{
    io->ops->discard(io, fd);
}

/* Sets the options and connects. Ends with `connected`. `addr` must stay valid until then; `options` is read during the call. */
static inline void io_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    io->ops->connect(io, sock, addr, options);
}

/* Accepts a connection. Returns a non-blocking descriptor and sets `peer` to the client's address, or returns a negative errno (-EAGAIN: the accept queue is
 * empty). Call io_poll(listener, IO_IN) first, and again after -EAGAIN. */
static inline int io_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    return io->ops->accept(io, listener, peer);
}

/* Whether io_accept() would return a connection or an error. False means the same as its -EAGAIN: io_poll() reports the next client. */
static inline bool io_has_clients(struct io *io, struct io_sock *listener)
{
    return io->ops->has_clients(io, listener);
}

/* When an accepted connection entered the listener's queue (clock_now_ns()), with the resolution of the kernel's tick. Call it right after io_accept(). 0: not
 * known, as on a UNIX socket. */
static inline uint64_t io_arrived_ns(struct io *io, int fd)
{
    return io->ops->arrived_ns(io, fd);
}

/* Whether another process has shut a UNIX listener down (for example ss -K). Accepting then only returns -EAGAIN. */
static inline bool io_is_shut(struct io *io, struct io_sock *listener)
{
    return io->ops->is_shut(io, listener);
}

/* Listens again on a socket that was shut from outside, after accepting on TCP has failed with -EINVAL. Returns 0 or a negative errno. A UNIX socket stays
 * shut. */
static inline int io_listen_again(struct io *io, struct io_sock *listener, int backlog)
{
    return io->ops->listen_again(io, listener, backlog);
}

/* Keeps new clients out of the accept queue of a listener that will be closed. Clients in the queue can still be accepted, and TCP handshakes that have
 * begun can complete. Later clients are refused (UNIX) or get no answer, so that a TCP client's kernel retries after a second. Returns false if the kernel
 * does not allow this; then clients still enter the queue. Without CAP_NET_ADMIN, so do TCP clients whose packets arrive with a TTL (hop limit) of 255. */
static inline bool io_stop_queueing(struct io *io, struct io_sock *listener)
{
    return io->ops->stop_queueing(io, listener);
}

/* Sets the TCP congestion control of an accepted descriptor. If the kernel refuses, the descriptor keeps its present one. */
static inline void io_set_congestion(struct io *io, int fd, const char *name)
{
    io->ops->set_congestion(io, fd, name);
}

/* Delivers bytes with `received` until `credit_bytes` have arrived or the stream ends, then calls `rest`. No receive may be in flight. */
static inline void io_receive(struct io *io, struct io_sock *sock, uint32_t credit_bytes)
{
    sock->credit = credit_bytes;
    io->ops->receive(io, sock);
}

/* Sends bytes. No other send may be pending. Returns IO_SENT if the kernel has taken all bytes, or IO_PENDING if `data` stays borrowed until `sent`, or a
 * negative errno if the socket can send no more. A pending `sent` alone does not end a wait: a caller that needs it to continue calls io_hurry(). */
static inline int io_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    return io->ops->send(io, sock, data, bytes);
}

/* Tells the engine that a caller needs the `sent` of a pending send: if the kernel has taken the bytes, the next wait ends at once. */
static inline void io_hurry(struct io *io)
{
    io->ops->hurry(io);
}

/* Calls `readable` or `writable` once, as soon as the socket is readable or writable. No poll for that side may be in flight. */
static inline void io_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    io->ops->poll(io, sock, side);
}

/* Makes a non-blocking UDP socket that is connected to `addr`, so that it receives datagrams and ICMP errors from there only. `receive_buffer_bytes`:
 * SO_RCVBUF; 0: the system's. Returns a descriptor for io_open(), or a negative errno. */
static inline int io_connect_datagram(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes)
{
    return io->ops->connect_datagram(io, addr, receive_buffer_bytes);
}

/* Receives up to `count` datagrams or trains into the batch, from place `first` on. Returns how many, at least 1; or -EAGAIN if there are none; or another
 * negative errno that an earlier datagram caused, such as -ECONNREFUSED for an ICMP error, which is reported once. If fewer than `count` are returned,
 * io_poll() reports the next ones. */
static inline int io_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count)
{
    return io->ops->receive_datagrams(io, sock, batch, first, count);
}

/* Sends datagrams and trains, and sets `error` of each. It never waits: what the socket has no room for fails with EAGAIN. If a connected socket reports
 * that its peer is gone (ECONNREFUSED, EHOSTUNREACH, ENETUNREACH), which may be about an earlier datagram, this message and all that follow are not sent
 * and have that error. The parts of a message may have been changed after the call. */
static inline void io_send_datagrams(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count)
{
    io->ops->send_datagrams(io, sock, messages, count);
}

/* Moves up to `bytes` from the socket into the pipe. Returns the number of bytes moved; 0 at FIN; -EAGAIN if the socket is empty or the pipe is full (with an
 * empty pipe, it means the socket); -EINVAL if this socket cannot be spliced. TCP's urgent mark stops a splice, which then returns 0 or an error although
 * unread bytes remain, which only a receive can take. */
static inline ssize_t io_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    return io->ops->splice_in(io, sock, pipe, bytes);
}

/* Moves the bytes of the pipe to the socket. Returns the number moved, which may be short, or -EAGAIN if the socket is full. */
static inline ssize_t io_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    return io->ops->splice_out(io, sock, pipe);
}

/* Sends FIN. No send may be pending. Returns 0, or a negative errno if the connection no longer exists. */
static inline int io_shutdown(struct io *io, struct io_sock *sock)
{
    return io->ops->shutdown(io, sock);
}

/* Returns the number of sent bytes that the peer has not acknowledged. Returns 0 also if the connection no longer exists. With 0, a reset loses no data. */
static inline uint32_t io_undelivered(struct io *io, struct io_sock *sock)
{
    return io->ops->undelivered(io, sock);
}

/* Call it after the process was stopped: restarts receives that missed data. At TCP's urgent mark, the kernel reads nothing while a signal is pending
 * (tcp_recvmsg). It then waits for the next data, which may never arrive. */
static inline void io_look_again(struct io *io)
{
    io->ops->look_again(io);
}

/* Checks whether the connection is broken, without reading from it. Returns the positive errno (ECONNRESET, or EPIPE after FIN; ETIMEDOUT, ...), or 0. A
 * receive or a poll in flight reports this by itself, so use it for a socket that has neither. The error is reported once. */
static inline int io_broken(struct io *io, struct io_sock *sock)
{
    return io->ops->broken(io, sock);
}

/* Whether a TCP socket is connected to itself, which is possible if no process listens on the address. `peer` is the address that was connected to. */
static inline bool io_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer)
{
    return io->ops->met_itself(io, sock, peer);
}

/* Reads what the kernel knows about the connection. Returns false if the socket is not TCP, or is closed. */
static inline bool io_tcp_info(struct io *io, struct io_sock *sock, struct io_tcp_info *info)
{
    return io->ops->tcp_info(io, sock, info);
}

/* After a connection to `to` failed with EADDRNOTAVAIL: whether the machine has no local address from which it could send there. Otherwise no local port is
 * free. */
static inline bool io_lacks_address(struct io *io, const struct addr *to)
{
    return io->ops->lacks_address(io, to);
}

/* Resets an eventfd that was opened as a socket, so that io_poll() waits for the next write to it. */
static inline void io_clear_event(struct io *io, struct io_sock *sock)
{
    io->ops->clear_event(io, sock);
}

/* Opens a pipe for `bytes`. The real size is in `capacity`: an unprivileged user with many pipes gets smaller ones. Returns 0 or a negative errno. */
static inline int io_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    return io->ops->pipe_open(io, pipe, bytes);
}

/* Closes the pipe and drops its bytes. Accepts "none" and may be called twice. */
static inline void io_pipe_close(struct io *io, struct io_pipe *pipe)
{
    io->ops->pipe_close(io, pipe);
}

#endif
