/* io/trial.c: uses an engine for a moment on a socket pair, with the very code that a worker runs, and believes only what it saw. Any single thread; owns
 * nothing that lasts. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/trial.h"

enum { TRIAL_CREDIT = 2 * BUFFER_BYTES, TRIAL_BYTES = 5 * BUFFER_BYTES, TRIAL_MS = 2000 };
enum { SMALL_SEND = 1000, LARGE_SEND = BUFFER_BYTES - 1 }; /* the first fits the socket of the trial, the second does not */

struct trial {
    struct io_sock sock;
    uint32_t received;   /* bytes, all of the right value */
    bool wrong;          /* a byte that was not */
    bool rest, sent, closed, readable;
    enum io_rest why;
    int error;
};

static uint8_t trial_byte(uint32_t offset)
{
    return (uint8_t)(offset * 31 + offset / 251);
}

static bool trial_received(struct io_sock *sock, struct buffer *buffer)
{
    struct trial *trial = container_of(sock, struct trial, sock);

    for (uint32_t i = buffer->start; i < buffer->end; i++)
        trial->wrong |= buffer->data[i] != trial_byte(trial->received++);
    return false;
}

static void trial_rest(struct io_sock *sock, enum io_rest why, int error)
{
    struct trial *trial = container_of(sock, struct trial, sock);

    trial->rest = true;
    trial->why = why;
    trial->error = error;
}

static void trial_sent(struct io_sock *sock, int error)
{
    struct trial *trial = container_of(sock, struct trial, sock);

    trial->sent = true;
    trial->error = error;
}

static void trial_readable(struct io_sock *sock)
{
    container_of(sock, struct trial, sock)->readable = true;
}

static void trial_closed(struct io_sock *sock)
{
    container_of(sock, struct trial, sock)->closed = true;
}

static const struct io_events trial_events = {
    .received = trial_received,
    .rest = trial_rest,
    .sent = trial_sent,
    .readable = trial_readable,
    .closed = trial_closed,
};

/* Turns the loop until `*flag` or the deadline. */
static int trial_until(struct io *io, const bool *flag)
{
    uint64_t deadline = clock_now_ns() + TRIAL_MS * (uint64_t)1000000;

    while (!*flag) {
        int result = io_wait(io, 50);

        if (result < 0)
            return result;
        io_dispatch(io);
        if (clock_now_ns() > deadline)
            return -ETIMEDOUT;
    }
    return 0;
}

/* A poll, a receive that must stop at its credit, a second one up to FIN. */
static int trial_receives(struct io *io, struct trial *trial, int peer, const uint8_t *bytes)
{
    int result;

    io_poll(io, &trial->sock, IO_IN);
    if (send(peer, bytes, TRIAL_BYTES, MSG_NOSIGNAL) != TRIAL_BYTES)
        return -EIO;
    result = trial_until(io, &trial->readable);
    if (result < 0)
        return result;

    io_receive(io, &trial->sock, TRIAL_CREDIT);
    result = trial_until(io, &trial->rest);
    if (result < 0)
        return result;
    if (trial->why == IO_REST_ERROR)
        return -trial->error;
    if (trial->why != IO_REST_CREDIT || trial->received > TRIAL_CREDIT + BUFFER_BYTES)
        return -EPROTO;

    trial->rest = false;
    (void)shutdown(peer, SHUT_WR);
    io_receive(io, &trial->sock, 2 * TRIAL_BYTES);
    result = trial_until(io, &trial->rest);
    if (result < 0)
        return result;
    return trial->why != IO_REST_EOF || trial->received != TRIAL_BYTES || trial->wrong ? -EPROTO : 0;
}

/* True: the peer has read exactly the first `bytes` bytes. */
static bool trial_arrived(int peer, uint32_t bytes)
{
    uint8_t data[LARGE_SEND + 1];
    uint32_t got = 0;
    ssize_t part;

    while ((part = recv(peer, data + got, sizeof(data) - got, MSG_DONTWAIT)) > 0)
        got += (uint32_t)part;
    for (uint32_t i = 0; i < got; i++) {
        if (data[i] != trial_byte(i))
            return false;
    }
    return got == bytes;
}

/* Two sends of one turn, of which one finds too little room: it must not count as done before the peer has read. */
static int trial_sends(struct io *io, struct trial trials[2], const int peers[2], const uint8_t *bytes)
{
    uint8_t data[LARGE_SEND];
    uint32_t got = 0;
    uint64_t deadline = clock_now_ns() + TRIAL_MS * (uint64_t)1000000;
    int small = io_send(io, &trials[0].sock, bytes, SMALL_SEND), large = io_send(io, &trials[1].sock, bytes, LARGE_SEND), result;

    trials[0].sent = small == IO_SENT;
    result = small < 0 || large != IO_PENDING ? -EPROTO : trial_until(io, &trials[0].sent);
    if (result < 0)
        return result;
    if (trials[1].sent || !trial_arrived(peers[0], SMALL_SEND))
        return -EPROTO;
    while (!trials[1].sent || got < LARGE_SEND) {
        ssize_t part = recv(peers[1], data + got, sizeof(data) - got, MSG_DONTWAIT);

        got += part > 0 ? (uint32_t)part : 0;
        result = io_wait(io, part > 0 ? 0 : 10);
        if (result < 0)
            return result;
        io_dispatch(io);
        if (trials[1].error || clock_now_ns() > deadline)
            return -EPROTO;
    }
    for (uint32_t i = 0; i < LARGE_SEND; i++) {
        if (data[i] != bytes[i])
            return -EPROTO;
    }
    return 0;
}

static int trial_open(struct io *io, struct trial *trial, int *peer, int buffer_bytes)
{
    int pair[2], large = 2 * TRIAL_BYTES, result;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
    result = io_open(io, &trial->sock, pair[0], &trial_events);
    if (result < 0)
        (void)close(pair[1]);
    else
        *peer = pair[1];
    return result;
}

int io_trial(const struct io_choice *choice)
{
    static uint8_t bytes[TRIAL_BYTES];
    struct io_options options = {.sockets_max = 4};
    struct trial trials[2] = {{.why = IO_REST_ERROR}, {.why = IO_REST_ERROR}};
    int peers[2] = {-1, -1}, result;
    struct io *io = io_new(choice, &options, &result);

    if (!io)
        return result;
    for (uint32_t i = 0; i < TRIAL_BYTES; i++)
        bytes[i] = trial_byte(i);
    result = trial_open(io, &trials[0], &peers[0], 2 * TRIAL_BYTES);
    if (result == 0)
        result = trial_open(io, &trials[1], &peers[1], 1);
    if (result == 0)
        result = trial_sends(io, trials, peers, bytes);
    if (result == 0)
        result = trial_receives(io, &trials[0], peers[0], bytes);
    for (int i = 0; i < 2; i++) {
        if (peers[i] < 0)
            continue;
        if (!trials[i].sock.in_flight)
            io_poll(io, &trials[i].sock, IO_IN); /* the close must end it */
        io_close(io, &trials[i].sock, false);
        if (trial_until(io, &trials[i].closed) < 0)
            return -ETIMEDOUT; /* The kernel may still write into the published buffers: the engine is left alone. A broken kernel; it happens once. */
        (void)close(peers[i]);
    }
    io_free(io);
    return result;
}
