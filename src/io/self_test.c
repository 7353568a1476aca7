/* io/self_test.c: tests an engine on socket pairs, with the code that a worker runs, and verifies the bytes that arrive. Any single thread; owns nothing after
 * it returns. */
#include "io/self_test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { TEST_CREDIT = 2 * BUFFER_BYTES, TEST_BYTES = 5 * BUFFER_BYTES, TEST_MS = 2000 };
enum { SMALL_SEND = 1000, LARGE_SEND = BUFFER_BYTES - 1 }; /* the first fits the socket buffer of its pair, the second does not */

struct test {
    struct io_sock sock;
    uint32_t received;   /* number of bytes */
    bool wrong;          /* a byte had the wrong value */
    bool rest, sent, closed, readable;
    enum io_rest why;
    int error;
};

static uint8_t test_byte(uint32_t offset)
{
    return (uint8_t)(offset * 31 + offset / 251);
}

static bool test_received(struct io_sock *sock, struct buffer *buffer)
{
    struct test *test = container_of(sock, struct test, sock);

    for (uint32_t i = buffer->start; i < buffer->end; i++)
        test->wrong |= buffer->data[i] != test_byte(test->received++);
    return false;
}

static void test_rest(struct io_sock *sock, enum io_rest why, int error)
{
    struct test *test = container_of(sock, struct test, sock);

    test->rest = true;
    test->why = why;
    test->error = error;
}

static void test_sent(struct io_sock *sock, int error)
{
    struct test *test = container_of(sock, struct test, sock);

    test->sent = true;
    test->error = error;
}

static void test_readable(struct io_sock *sock)
{
    container_of(sock, struct test, sock)->readable = true;
}

static void test_closed(struct io_sock *sock)
{
    container_of(sock, struct test, sock)->closed = true;
}

static const struct io_events test_events = {
    .received = test_received,
    .rest = test_rest,
    .sent = test_sent,
    .readable = test_readable,
    .closed = test_closed,
};

/* Runs the loop until `*flag` is set or the deadline has passed. */
static int test_until(struct io *io, const bool *flag)
{
    uint64_t deadline = clock_now_ns() + TEST_MS * (uint64_t)1000000;

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

/* Tests a poll, a receive that must stop at its credit, and a second receive up to FIN. */
static int test_receives(struct io *io, struct test *test, int peer, const uint8_t *bytes)
{
    int result;

    io_poll(io, &test->sock, IO_IN);
    if (send(peer, bytes, TEST_BYTES, MSG_NOSIGNAL) != TEST_BYTES)
        return -EIO;
    result = test_until(io, &test->readable);
    if (result < 0)
        return result;

    io_receive(io, &test->sock, TEST_CREDIT);
    result = test_until(io, &test->rest);
    if (result < 0)
        return result;
    if (test->why == IO_REST_ERROR)
        return -test->error;
    if (test->why != IO_REST_CREDIT || test->received > TEST_CREDIT + BUFFER_BYTES)
        return -EPROTO;

    test->rest = false;
    (void)shutdown(peer, SHUT_WR);
    io_receive(io, &test->sock, 2 * TEST_BYTES);
    result = test_until(io, &test->rest);
    if (result < 0)
        return result;
    return test->why != IO_REST_EOF || test->received != TEST_BYTES || test->wrong ? -EPROTO : 0;
}

/* Reads at the peer. Returns whether it got exactly the first `bytes` bytes. */
static bool test_arrived(int peer, uint32_t bytes)
{
    uint8_t data[LARGE_SEND + 1];
    uint32_t got = 0;
    ssize_t part;

    while ((part = recv(peer, data + got, sizeof(data) - got, MSG_DONTWAIT)) > 0)
        got += (uint32_t)part;
    for (uint32_t i = 0; i < got; i++) {
        if (data[i] != test_byte(i))
            return false;
    }
    return got == bytes;
}

/* Tests two sends in one turn. One does not fit the socket buffer, so it must not be reported as complete before the peer has read. */
static int test_sends(struct io *io, struct test tests[2], const int peers[2], const uint8_t *bytes)
{
    uint8_t data[LARGE_SEND];
    uint32_t got = 0;
    uint64_t deadline = clock_now_ns() + TEST_MS * (uint64_t)1000000;
    int small = io_send(io, &tests[0].sock, bytes, SMALL_SEND), large = io_send(io, &tests[1].sock, bytes, LARGE_SEND), result;

    tests[0].sent = small == IO_SENT;
    result = small < 0 || large != IO_PENDING ? -EPROTO : test_until(io, &tests[0].sent);
    if (result < 0)
        return result;
    if (tests[1].sent || !test_arrived(peers[0], SMALL_SEND))
        return -EPROTO;
    while (!tests[1].sent || got < LARGE_SEND) {
        ssize_t part = recv(peers[1], data + got, sizeof(data) - got, MSG_DONTWAIT);

        got += part > 0 ? (uint32_t)part : 0;
        result = io_wait(io, part > 0 ? 0 : 10);
        if (result < 0)
            return result;
        io_dispatch(io);
        if (tests[1].error || clock_now_ns() > deadline)
            return -EPROTO;
    }
    for (uint32_t i = 0; i < LARGE_SEND; i++) {
        if (data[i] != bytes[i])
            return -EPROTO;
    }
    return 0;
}

static int test_open(struct io *io, struct test *test, int *peer, int buffer_bytes)
{
    int pair[2], large = 2 * TEST_BYTES, result;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
    result = io_open(io, &test->sock, pair[0], &test_events);
    if (result < 0)
        (void)close(pair[1]);
    else
        *peer = pair[1];
    return result;
}

int io_self_test(const struct io_choice *choice)
{
    static uint8_t bytes[TEST_BYTES];
    struct io_options options = {.sockets_max = 4};
    struct test tests[2] = {{.why = IO_REST_ERROR}, {.why = IO_REST_ERROR}};
    int peers[2] = {-1, -1}, result;
    struct io *io = io_new(choice, &options, &result);

    if (!io)
        return result;
    for (uint32_t i = 0; i < TEST_BYTES; i++)
        bytes[i] = test_byte(i);
    result = test_open(io, &tests[0], &peers[0], 2 * TEST_BYTES);
    if (result == 0)
        result = test_open(io, &tests[1], &peers[1], 1);
    if (result == 0)
        result = test_sends(io, tests, peers, bytes);
    if (result == 0)
        result = test_receives(io, &tests[0], peers[0], bytes);
    for (int i = 0; i < 2; i++) {
        if (peers[i] < 0)
            continue;
        if (!tests[i].sock.in_flight)
            io_poll(io, &tests[i].sock, IO_IN); /* io_close() must end this poll */
        io_close(io, &tests[i].sock, false);
        if (test_until(io, &tests[i].closed) < 0)
            return -ETIMEDOUT; /* The kernel is broken and may still write into the published buffers: do not free the engine. */
        (void)close(peers[i]);
    }
    io_free(io);
    return result;
}
