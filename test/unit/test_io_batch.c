/* test_io_batch: waits that let events accumulate until a time has passed (batch_us), on each engine, and on io_uring as before Linux 6.12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "io/uring.h"
#include "io_fixture.h"

#define MS ((uint64_t)1000000)

enum { BATCH_MS = 20, LONG_BATCH_MS = 900 };

static int setup_old_uring(void **state)
{
    int result = setup_uring(state);

    if (result == 0 && *state)
        uring_of(((struct fixture *)*state)->io)->min_wait = false;
    return result;
}

static void batch_for(struct fixture *fixture, uint32_t ms)
{
    fixture->io->waiting = (struct io_waiting){.batch_us = ms * 1000};
}

/* Starts a receive and then makes bytes available for it. */
static void bytes_are_there(struct fixture *fixture)
{
    uint64_t offset = 0;

    connect_pair(fixture);
    io_receive(fixture->io, &fixture->ours.sock, 2 * BUFFER_BYTES);
    assert_int_equal(io_wait(fixture->io, 0), 0);
    io_dispatch(fixture->io);
    assert_int_equal(feed(fixture->theirs, &offset, 1000), 1000);
}

static void a_wait_takes_its_time_though_something_is_there(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t began_ns;

    bytes_are_there(fixture);
    batch_for(fixture, BATCH_MS);
    began_ns = clock_now_ns();
    assert_int_equal(io_wait(fixture->io, -1), 0);
    assert_true(clock_now_ns() - began_ns >= BATCH_MS * MS);
    assert_true(fixture->io->events > 0);
    io_dispatch(fixture->io);
    assert_int_equal(fixture->ours.received, 1000);
}

static void requests_reach_the_kernel_before_that_time(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct pollfd theirs;

    connect_pair(fixture);
    batch_for(fixture, BATCH_MS);
    assert_true(io_send(fixture->io, &fixture->ours.sock, (const uint8_t *)"x", 1) >= 0 || fixture->ours.sock.send_data);
    assert_int_equal(io_wait(fixture->io, BATCH_MS), 0);
    theirs = (struct pollfd){.fd = fixture->theirs, .events = POLLIN};
    assert_int_equal(poll(&theirs, 1, 0), 1);
}

static void a_wait_without_a_time_does_not_sleep(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t began_ns;

    bytes_are_there(fixture);
    batch_for(fixture, LONG_BATCH_MS);
    began_ns = clock_now_ns();
    assert_int_equal(io_wait(fixture->io, 0), 0);
    assert_true(clock_now_ns() - began_ns < LONG_BATCH_MS * MS);
}

/* The test does not check that the wait lasts at least the given time: nothing relies on that, and leftover events of the connect may end it early. */
static void a_wait_in_which_nothing_comes_ends(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t began_ns = clock_now_ns();

    connect_pair(fixture);
    batch_for(fixture, BATCH_MS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(io_wait(fixture->io, 2 * BATCH_MS), 0);
        io_dispatch(fixture->io);
    }
    assert_true(clock_now_ns() - began_ns < DEADLINE_S * 1000 * MS);
    assert_int_equal(fixture->ours.received, 0);
}

#define EACH(test) \
    cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_old_uring, teardown), \
        cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_wait_takes_its_time_though_something_is_there),
        EACH(requests_reach_the_kernel_before_that_time),
        EACH(a_wait_without_a_time_does_not_sleep),
        EACH(a_wait_in_which_nothing_comes_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
