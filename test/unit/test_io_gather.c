/* test_io_gather: sends of one turn, more than either engine gathers; some find a full send buffer or a closed peer. Started by an event or between turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/io.h"

enum { PAIRS = 100, FEW = 10, SMALL = 700, LARGE = BUFFER_BYTES - 1, DEADLINE_S = 10 };

struct pair {
    struct io_sock sock;
    int theirs;
    uint32_t told;   /* how often completion was reported: the `sent` event or io_send()'s result */
    int error;
    bool closed;
    uint32_t arrived;
};

struct stage {
    struct io *io;
    struct io_sock bell;  /* an eventfd: `act` is called from within a dispatch when it is readable */
    void (*act)(struct stage *stage);
    bool bell_closed;
    struct pair pairs[PAIRS];
};

static uint8_t bytes[LARGE];

static void on_sent(struct io_sock *sock, int error)
{
    struct pair *pair = container_of(sock, struct pair, sock);

    assert_false(sock->closing);
    pair->told++;
    pair->error = error;
}

static void on_closed(struct io_sock *sock)
{
    container_of(sock, struct pair, sock)->closed = true;
}

static const struct io_events events = {.sent = on_sent, .closed = on_closed};

static void on_bell(struct io_sock *sock)
{
    struct stage *stage = container_of(sock, struct stage, bell);

    io_clear_event(stage->io, sock);
    stage->act(stage);
    stage->act = NULL;
}

static void on_bell_closed(struct io_sock *sock)
{
    container_of(sock, struct stage, bell)->bell_closed = true;
}

static const struct io_events bell_events = {.readable = on_bell, .closed = on_bell_closed};

static int setup(void **state, enum io_kind kind)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct io_options options = {.sockets_max = PAIRS + 1};
    struct io_choice choice;
    int error, smallest = 1;

    *state = NULL;
    if (!stage)
        return -1;
    if (io_choose(kind, &choice) < 0) {
        free(stage);
        return 0; /* the tests then skip */
    }
    for (uint32_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 253);
    stage->io = io_new(&choice, &options, &error);
    if (!stage->io)
        return -1;
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
            return -1;
        if (i % 5 == 0)
            setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
        stage->pairs[i].theirs = fds[1];
        if (io_open(stage->io, &stage->pairs[i].sock, fds[0], &events) < 0)
            return -1;
    }
    if (io_open(stage->io, &stage->bell, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), &bell_events) < 0)
        return -1;
    *state = stage;
    return 0;
}

static int setup_uring(void **state)
{
    return setup(state, IO_URING);
}

static int setup_epoll(void **state)
{
    return setup(state, IO_EPOLL);
}

static void turn(struct stage *stage, int64_t timeout_ms)
{
    assert_int_equal(io_wait(stage->io, timeout_ms), 0);
    io_dispatch(stage->io);
}

static void within_a_turn(struct stage *stage, void (*act)(struct stage *stage))
{
    uint64_t one = 1, deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    stage->act = act;
    io_poll(stage->io, &stage->bell, IO_IN);
    assert_int_equal(write(stage->bell.fd, &one, sizeof(one)), sizeof(one));
    while (stage->act) {
        assert_true(clock_now_ns() < deadline);
        turn(stage, 1);
    }
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    if (!stage)
        return 0;
    for (int i = 0; i < PAIRS; i++) {
        struct pair *pair = &stage->pairs[i];

        if (!pair->sock.closing)
            io_close(stage->io, &pair->sock, false);
        while (!pair->closed && clock_now_ns() < deadline)
            turn(stage, 10);
        assert_true(pair->closed);
        if (pair->theirs >= 0)
            close(pair->theirs);
    }
    io_close(stage->io, &stage->bell, false);
    while (!stage->bell_closed && clock_now_ns() < deadline)
        turn(stage, 10);
    assert_true(stage->bell_closed);
    io_free(stage->io);
    free(stage);
    return 0;
}

static struct stage *stage_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* Whether the pair's socket has the smallest send buffer, which a LARGE send does not fit. */
static bool tight(int pair)
{
    return pair % 5 == 0;
}

static void start(struct stage *stage, int i, uint32_t count)
{
    int result = io_send(stage->io, &stage->pairs[i].sock, bytes, count);

    assert_true(result == IO_SENT || result == IO_PENDING);
    stage->pairs[i].told += result == IO_SENT;
}

/* Reads the available bytes, which must match those that were sent. */
static void drink(struct pair *pair)
{
    static uint8_t data[LARGE];
    ssize_t got;

    while ((got = recv(pair->theirs, data, sizeof(data), MSG_DONTWAIT)) > 0) {
        assert_true(pair->arrived + (uint32_t)got <= LARGE);
        assert_memory_equal(data, bytes + pair->arrived, (size_t)got);
        pair->arrived += (uint32_t)got;
    }
}

static void start_small(struct stage *stage)
{
    for (int i = 0; i < PAIRS; i++)
        start(stage, i, SMALL);
}

static void start_few(struct stage *stage)
{
    for (int i = 0; i < FEW; i++)
        start(stage, i, SMALL);
}

static void start_mixed(struct stage *stage)
{
    for (int i = 0; i < PAIRS; i++)
        start(stage, i, tight(i) ? LARGE : SMALL);
}

static void small_sends_of_one_turn_all_arrive_and_are_told_once(void **state)
{
    struct stage *stage = stage_of(state);

    for (int round = 1; round <= 6; round++) {
        if (round % 2)
            start_small(stage);
        else
            within_a_turn(stage, start_small);
        for (int turns = 0; turns < 5; turns++)
            turn(stage, 0);
        for (int i = 0; i < PAIRS; i++) {
            struct pair *pair = &stage->pairs[i];

            drink(pair);
            assert_int_equal(pair->arrived, SMALL);
            assert_int_equal(pair->told, round);
            assert_int_equal(pair->error, 0);
            pair->arrived = 0;
        }
    }
}

static void a_few_sends_of_one_turn_do_not_wait_for_more(void **state)
{
    struct stage *stage = stage_of(state);

    within_a_turn(stage, start_few);
    for (int turns = 0; turns < 5; turns++)
        turn(stage, 0);
    for (int i = 0; i < FEW; i++) {
        drink(&stage->pairs[i]);
        assert_int_equal(stage->pairs[i].arrived, SMALL);
        assert_int_equal(stage->pairs[i].told, 1);
    }
}

static void a_send_without_room_is_told_when_the_last_byte_is_out_and_not_before(void **state)
{
    struct stage *stage = stage_of(state);
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;
    int done = 0;

    within_a_turn(stage, start_mixed);
    for (int turns = 0; turns < 5; turns++)
        turn(stage, 0);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(stage->pairs[i].told, tight(i) ? 0 : 1);
    while (done < PAIRS && clock_now_ns() < deadline) {
        turn(stage, 1);
        done = 0;
        for (int i = 0; i < PAIRS; i++) {
            drink(&stage->pairs[i]);
            done += stage->pairs[i].told && stage->pairs[i].arrived == (tight(i) ? LARGE : SMALL);
        }
    }
    assert_int_equal(done, PAIRS);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(stage->pairs[i].told, 1);
}

static void start_some_that_fail(struct stage *stage)
{
    for (int i = 0; i < PAIRS; i++) {
        int result = io_send(stage->io, &stage->pairs[i].sock, bytes, SMALL);

        if (result < 0)
            stage->pairs[i].error = -result;
        stage->pairs[i].told += result != IO_PENDING;
    }
}

static void a_send_to_a_peer_that_is_gone_fails_alone(void **state)
{
    struct stage *stage = stage_of(state);

    for (int i = 0; i < PAIRS; i += 7) {
        close(stage->pairs[i].theirs);
        stage->pairs[i].theirs = -1;
    }
    within_a_turn(stage, start_some_that_fail);
    for (int turns = 0; turns < 5; turns++)
        turn(stage, 0);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(stage->pairs[i].told, 1);
        assert_int_equal(stage->pairs[i].error, i % 7 ? 0 : EPIPE);
    }
}

static void start_and_close(struct stage *stage)
{
    start_mixed(stage);
    for (int i = 0; i < PAIRS; i += 2) {
        stage->pairs[i].told = 0;
        io_close(stage->io, &stage->pairs[i].sock, false);
    }
}

static void closing_with_a_send_just_started_tells_only_the_close(void **state)
{
    struct stage *stage = stage_of(state);

    within_a_turn(stage, start_and_close);
    for (int turns = 0; turns < 10; turns++)
        turn(stage, 1);
    for (int i = 0; i < PAIRS; i += 2) {
        assert_true(stage->pairs[i].closed);
        assert_int_equal(stage->pairs[i].told, 0);
    }
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(small_sends_of_one_turn_all_arrive_and_are_told_once),
        BOTH(a_few_sends_of_one_turn_do_not_wait_for_more),
        BOTH(a_send_without_room_is_told_when_the_last_byte_is_out_and_not_before),
        BOTH(a_send_to_a_peer_that_is_gone_fails_alone),
        BOTH(closing_with_a_send_just_started_tells_only_the_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
