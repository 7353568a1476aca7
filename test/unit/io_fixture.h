/* io_fixture.h: an engine under test, a TCP connection whose one end the engine owns, and a record of the events of that end. For the test_io programs. Each of
 * them includes the cmocka headers first. */
#ifndef TEST_UNIT_IO_FIXTURE_H
#define TEST_UNIT_IO_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/io.h"
#include "loopback.h"

enum { KEPT_MAX = 16, DEADLINE_S = 10, SOCKETS_MAX = 300 };

struct peer_sock {
    struct io_sock sock;
    bool connected, rest, sent, readable, writable, closed, keep;
    int error;
    enum io_rest why;
    uint64_t received;
    uint32_t after_close; /* number of events that came after io_close(), except `closed` */
    struct buffer *kept[KEPT_MAX];
    int kept_count;
};

static struct peer_sock *of(struct io_sock *sock)
{
    struct peer_sock *peer = container_of(sock, struct peer_sock, sock);

    peer->after_close += sock->closing;
    return peer;
}

static void on_connected(struct io_sock *sock, int error)
{
    of(sock)->connected = true;
    of(sock)->error = error;
}

static bool on_received(struct io_sock *sock, struct buffer *buffer)
{
    struct peer_sock *peer = of(sock);

    for (uint32_t i = buffer->start; i < buffer->end; i++)
        assert_int_equal(buffer->data[i], (uint8_t)(peer->received++ % 251));
    if (!peer->keep)
        return false;
    assert_true(peer->kept_count < KEPT_MAX);
    peer->kept[peer->kept_count++] = buffer;
    return true;
}

static void on_rest(struct io_sock *sock, enum io_rest why, int error)
{
    of(sock)->rest = true;
    of(sock)->why = why;
    of(sock)->error = error;
}

static void on_sent(struct io_sock *sock, int error)
{
    of(sock)->sent = true;
    of(sock)->error = error;
}

static void on_readable(struct io_sock *sock)
{
    of(sock)->readable = true;
}

static void on_writable(struct io_sock *sock)
{
    of(sock)->writable = true;
}

static void on_closed(struct io_sock *sock)
{
    container_of(sock, struct peer_sock, sock)->closed = true;
}

static const struct io_events events = {
    .connected = on_connected,
    .received = on_received,
    .rest = on_rest,
    .sent = on_sent,
    .readable = on_readable,
    .writable = on_writable,
    .closed = on_closed,
};

/* ---- fixture: an engine and a TCP connection. The engine owns the end `ours`; `theirs` is a plain descriptor ---- */

struct fixture {
    struct io_choice choice;
    struct io *io;
    struct peer_sock ours;
    int theirs, listener;
    struct addr addr;
};

static void until(struct fixture *fixture, const bool *flag)
{
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    while (!*flag) {
        assert_int_equal(io_wait(fixture->io, 100), 0);
        io_dispatch(fixture->io);
        assert_true(clock_now_ns() < deadline);
    }
}

/* Runs a few turns in which nothing should happen. */
static inline void idle_turns(struct fixture *fixture)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(io_wait(fixture->io, 5), 0);
        io_dispatch(fixture->io);
    }
}

static int setup_engine(void **state, enum io_kind kind)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct io_options options = {.sockets_max = SOCKETS_MAX};
    int error;

    if (io_choose(kind, &fixture->choice) < 0) {
        free(fixture);
        *state = NULL;
        return 0; /* the tests are skipped then: fixture_of() */
    }
    fixture->io = io_new(&fixture->choice, &options, &error);
    fixture->listener = listen_any(&fixture->addr);
    fixture->theirs = -1;
    *state = fixture;
    return fixture->io ? 0 : -1;
}

static int setup_uring(void **state)
{
    return setup_engine(state, IO_URING);
}

static int setup_epoll(void **state)
{
    return setup_engine(state, IO_EPOLL);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (!fixture)
        return 0;
    if (fixture->ours.sock.fd > 0 && !fixture->ours.closed) {
        if (!fixture->ours.sock.closing)
            io_close(fixture->io, &fixture->ours.sock, true);
        until(fixture, &fixture->ours.closed);
    }
    for (int i = 0; i < fixture->ours.kept_count; i++)
        buffer_free(&fixture->io->buffers, fixture->ours.kept[i]);
    io_free(fixture->io);
    if (fixture->theirs >= 0)
        close(fixture->theirs);
    close(fixture->listener);
    free(fixture);
    return 0;
}

static struct fixture *fixture_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static inline void connect_pair(struct fixture *fixture)
{
    struct io_socket_options options = {0};
    int fd = io_socket(fixture->io, AF_INET);

    assert_true(fd >= 0);
    /* Without pacing, bytes are sent at once, or wait only for the peer. */
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", sizeof("reno")), 0);
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, fd, &events), 0);
    io_connect(fixture->io, &fixture->ours.sock, &fixture->addr, &options);
    until(fixture, &fixture->ours.connected);
    assert_int_equal(fixture->ours.error, 0);
    fixture->theirs = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fixture->theirs >= 0);
}

/* Writes up to `bytes` of the pattern, from `*offset` on, until the socket is full. Advances `*offset` and returns the number of bytes written. */
static inline size_t feed(int fd, uint64_t *offset, size_t bytes)
{
    static uint8_t chunk[65536];
    size_t done = 0;

    while (done < bytes) {
        size_t want = bytes - done < sizeof(chunk) ? bytes - done : sizeof(chunk);
        ssize_t sent;

        for (size_t i = 0; i < want; i++)
            chunk[i] = (uint8_t)((*offset + i) % 251);
        sent = send(fd, chunk, want, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        done += (size_t)sent;
        *offset += (uint64_t)sent;
    }
    return done;
}

static inline void reset_theirs(struct fixture *fixture)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fixture->theirs, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fixture->theirs);
    fixture->theirs = -1;
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

#endif
