/* test_io_busy_poll: waits that poll for events before they sleep (busy_poll), on each engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io_fixture.h"

enum { TURNS = 50, SEND_BYTES = 4096 };

static void poll_for(struct fixture *fixture, uint32_t us)
{
    fixture->io->waiting = (struct io_waiting){.busy_poll_us = us};
}

static void what_is_there_is_met_by_polling(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    io_receive(fixture->io, &fixture->ours.sock, 2 * BUFFER_BYTES);
    assert_int_equal(io_wait(fixture->io, 0), 0);
    io_dispatch(fixture->io);
    poll_for(fixture, 1000000);
    assert_int_equal(feed(fixture->theirs, &offset, 1000), 1000);
    assert_int_equal(io_wait(fixture->io, -1), 0);
    assert_true(fixture->io->events > 0);
    assert_in_range(fixture->io->polled_ns, 1, fixture->io->waited_ns);
    io_dispatch(fixture->io);
    assert_int_equal(fixture->ours.received, 1000);
}

/* The full time is polled, however long submitting the requests of this turn takes. */
static void the_time_is_polled_to_its_end(void **state)
{
    static const uint8_t bytes[SEND_BYTES];
    struct fixture *fixture = fixture_of(state);
    uint32_t empty = 0;

    connect_pair(fixture);
    poll_for(fixture, 1);
    for (int i = 0; i < TURNS; i++) {
        assert_true(io_send(fixture->io, &fixture->ours.sock, bytes, sizeof(bytes)) >= 0 || fixture->ours.sock.send_data);
        assert_int_equal(io_wait(fixture->io, 1), 0);
        empty += fixture->io->events == 0;
        assert_true(fixture->io->events > 0 || fixture->io->polled_ns >= 1000);
        io_dispatch(fixture->io);
        assert_int_equal(recv(fixture->theirs, (uint8_t[SEND_BYTES]){0}, SEND_BYTES, MSG_WAITALL), SEND_BYTES);
    }
    assert_true(empty > 0);
}

static void a_wait_without_a_time_does_not_poll(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    poll_for(fixture, 1000000);
    assert_int_equal(io_wait(fixture->io, 0), 0);
    assert_int_equal(fixture->io->polled_ns, 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(what_is_there_is_met_by_polling),
        EACH(the_time_is_polled_to_its_end),
        EACH(a_wait_without_a_time_does_not_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
