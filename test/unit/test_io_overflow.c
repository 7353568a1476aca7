/* test_io_overflow: many more completions than the completion queue can hold, including those of gathered sends that fail; and a kernel that accepts
 * no requests. io_uring only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "io/uring.h"

enum { PAIRS = 200, ROUNDS = 300, CREDIT = 2 * BUFFER_BYTES, RING_ENTRIES = 2, DEADLINE_S = 20 };

struct pair {
    struct io_sock sock;
    int theirs;
    bool deaf;      /* the peer has shut down reading: a send fails */
    bool sending, receiving, closed;
    uint32_t asked, got; /* bytes sent to us, and bytes that have arrived */
};

struct stage {
    struct io *io;
    struct pair pairs[PAIRS];
};

static struct io *io; /* the running test's engine */

static struct pair *of(struct io_sock *sock)
{
    return container_of(sock, struct pair, sock);
}

static void told(struct pair *pair, int error)
{
    assert_int_equal(error, pair->deaf ? EPIPE : 0);
    pair->sending = false;
}

static bool on_received(struct io_sock *sock, struct buffer *buffer)
{
    struct pair *pair = of(sock);
    int result;

    pair->got += buffer->end - buffer->start;
    if (pair->sending)
        return false;
    pair->sending = true;
    result = io_send(io, sock, (const uint8_t *)"answer", 6);
    if (result != IO_PENDING)
        told(pair, -result);
    return false;
}

static void on_rest(struct io_sock *sock, enum io_rest why, int error)
{
    assert_int_equal(error, 0);
    of(sock)->receiving = false;
    if (why == IO_REST_CREDIT) {
        of(sock)->receiving = true;
        io_receive(io, sock, CREDIT);
    }
}

static void on_sent(struct io_sock *sock, int error)
{
    assert_true(of(sock)->sending);
    told(of(sock), error);
}

static void on_closed(struct io_sock *sock)
{
    of(sock)->closed = true;
}

static const struct io_events events = {.received = on_received, .rest = on_rest, .sent = on_sent, .closed = on_closed};

static void turn(void)
{
    assert_int_equal(io_wait(io, 10), 0);
    io_dispatch(io);
}

static bool all_quiet(const struct stage *stage)
{
    for (int i = 0; i < PAIRS; i++) {
        if (stage->pairs[i].sending || stage->pairs[i].got != stage->pairs[i].asked)
            return false;
    }
    return true;
}

static void every_send_is_told_once_and_rightly(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct io_options options = {.sockets_max = PAIRS, .ring_entries = RING_ENTRIES};
    struct io_choice choice;
    uint64_t random = 1, deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;
    int error;

    (void)state;
    assert_non_null(stage);
    if (io_choose(IO_URING, &choice) < 0) {
        free(stage);
        skip();
    }
    io = stage->io = io_new(&choice, &options, &error);
    assert_non_null(io);
    for (int i = 0; i < PAIRS; i++) {
        struct pair *pair = &stage->pairs[i];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        pair->theirs = fds[1];
        pair->deaf = i % 3 == 0;
        if (pair->deaf)
            assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
        assert_int_equal(io_open(io, &pair->sock, fds[0], &events), 0);
        pair->receiving = true;
        io_receive(io, &pair->sock, CREDIT);
    }
    turn();
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t some = 1 + random_below(&random, 4);

        for (int i = 0; i < PAIRS; i++) {
            struct pair *pair = &stage->pairs[i];

            if (random_below(&random, some) == 0)
                pair->asked += send(pair->theirs, "ask", 3, MSG_DONTWAIT) == 3 ? 3 : 0;
        }
        do {
            turn();
            assert_true(clock_now_ns() < deadline);
        } while (random_below(&random, 3) == 0 || (round % 10 == 9 && !all_quiet(stage)));
    }
    for (int i = 0; i < PAIRS; i++)
        io_close(io, &stage->pairs[i].sock, false);
    for (int i = 0; i < PAIRS; i++) {
        while (!stage->pairs[i].closed) {
            turn();
            assert_true(clock_now_ns() < deadline);
        }
        (void)close(stage->pairs[i].theirs);
    }
    io_free(io);
    free(stage);
}

/* The call into the kernel fails permanently: io_wait() returns an error instead of waiting for ever. */
static void a_ring_that_takes_nothing_fails_the_engine(void **state)
{
    struct io_options options = {.sockets_max = PAIRS, .ring_entries = RING_ENTRIES};
    struct io_choice choice;
    struct pair pairs[4 * RING_ENTRIES] = {0};
    struct uring *uring;
    int error, entered;

    (void)state;
    if (io_choose(IO_URING, &choice) < 0)
        skip();
    io = io_new(&choice, &options, &error);
    assert_non_null(io);
    uring = uring_of(io);
    entered = uring->ring.enter_ring_fd;
    uring->ring.enter_ring_fd = 1 << 20;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        pairs[i].theirs = fds[1];
        assert_int_equal(io_open(io, &pairs[i].sock, fds[0], &events), 0);
        io_poll(io, &pairs[i].sock, IO_IN);
    }
    assert_true(io_wait(io, 1000) < 0);
    assert_true(io_wait(io, 1000) < 0);

    uring->ring.enter_ring_fd = entered; /* requests that the kernel never accepted are not in flight */
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        pairs[i].sock.in_flight = 0;
        io_close(io, &pairs[i].sock, false);
        io_dispatch(io);
        assert_true(pairs[i].closed);
        (void)close(pairs[i].theirs);
    }
    io_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_send_is_told_once_and_rightly),
        cmocka_unit_test(a_ring_that_takes_nothing_fails_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
