/* test_waiting: worker/waiting: when a worker busy-polls before it sleeps, and when it batches events of streams. The test sets the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/io.h"
#include "worker/waiting.h"

#define US ((uint64_t)1000)
#define AUTO UINT32_MAX

struct stage {
    struct waiting waiting;
    struct io io;
    uint64_t vain_ns;
};

static struct stage stage_new(uint32_t busy_poll_us)
{
    struct stage stage = {.io.now_ns = 1000000000};

    waiting_init(&stage.waiting, busy_poll_us);
    return stage;
}

/* Simulates a turn in which `events` arrive after `after_us` and processing takes `cpu_us`. */
static void turn(struct stage *stage, uint32_t events, uint64_t after_us, uint64_t cpu_us)
{
    uint64_t poll_ns;

    waiting_choose(&stage->waiting, false, &stage->io);
    poll_ns = stage->io.waiting.busy_poll_us * US;
    stage->io.waited_ns = after_us * US;
    stage->io.polled_ns = after_us * US < poll_ns ? after_us * US : poll_ns;
    if (poll_ns && after_us * US >= poll_ns)
        stage->vain_ns += poll_ns;
    stage->io.events = events;
    stage->io.now_ns += (after_us + cpu_us) * US;
    waiting_learn(&stage->waiting, &stage->io);
}

static void off_never_polls(void **state)
{
    struct stage stage = stage_new(0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, 20, 10);
        assert_int_equal(stage.io.waiting.busy_poll_us, 0);
    }
}

static void a_fixed_time_is_polled_every_time(void **state)
{
    struct stage stage = stage_new(50);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, i % 2 ? 20 : 5000, 10);
        assert_int_equal(stage.io.waiting.busy_poll_us, 50);
    }
    assert_int_equal(stage.waiting.polls, 1000);
    assert_int_equal(stage.waiting.polls_met, 500);
    assert_int_equal(stage.waiting.polled_ns, 500 * 20 * US + 500 * 50 * US);
}

static void auto_polls_while_one_client_asks_and_waits(void **state)
{
    struct stage stage = stage_new(AUTO);
    int polled = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, 30, 10);
        polled += stage.io.waiting.busy_poll_us > 0;
    }
    assert_true(polled > 990);
}

static void auto_hardly_polls_when_traffic_is_sparse(void **state)
{
    struct stage stage = stage_new(AUTO);

    (void)state;
    for (int i = 0; i < 1000; i++)
        turn(&stage, 1, 30, 10); /* the traffic is dense at first */
    for (int i = 0; i < 10000; i++)
        turn(&stage, 1, 1000, 10);
    assert_true(stage.vain_ns <= 1000 * US); /* at most 1 ms in ten seconds */
}

static void a_turn_without_a_wait_is_no_poll_in_vain(void **state)
{
    struct stage stage = stage_new(AUTO);
    uint64_t credit_ns, polls;

    (void)state;
    for (int i = 0; i < 1000; i++)
        turn(&stage, 1, 30, 10);
    credit_ns = stage.waiting.credit_ns;
    polls = stage.waiting.polls;
    for (int i = 0; i < 100; i++) { /* work is left to do, so the engine does not wait at all */
        waiting_choose(&stage.waiting, false, &stage.io);
        stage.io.waited_ns = stage.io.polled_ns = stage.io.events = 0;
        waiting_learn(&stage.waiting, &stage.io);
    }
    assert_int_equal(stage.waiting.credit_ns, credit_ns);
    assert_int_equal(stage.waiting.polls, polls);
}

/* Submitting a turn's sends can take longer than a busy-poll. */
static void an_event_after_a_long_submission_is_met(void **state)
{
    struct stage stage = stage_new(AUTO);

    (void)state;
    for (int i = 0; i < 100; i++)
        turn(&stage, 1, 30, 10);
    for (int i = 0; i < 1000; i++) {
        waiting_choose(&stage.waiting, false, &stage.io);
        assert_true(stage.io.waiting.busy_poll_us > 0);
        stage.io.polled_ns = 10 * US;
        stage.io.waited_ns = 300 * US;
        stage.io.events = 1;
        waiting_learn(&stage.waiting, &stage.io);
    }
    assert_int_equal(stage.waiting.polls_met, stage.waiting.polls);
}

static void what_auto_polls_in_vain_is_never_more_than_what_it_met(void **state)
{
    struct stage stage = stage_new(AUTO);
    uint64_t met_ns = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) { /* every second event arrives soon */
        turn(&stage, 1, i % 2 ? 40 : 900, 10);
        met_ns += i % 2 ? (40 + 5) * US : 0;
    }
    assert_true(stage.vain_ns > 0);
    assert_true(stage.vain_ns <= met_ns);
}

/* How the next wait behaves while the worker relays streams. */
static struct io_waiting beside_streams(uint32_t busy_poll_us)
{
    struct stage stage = stage_new(busy_poll_us);

    stage.waiting.credit_ns = 1000 * US;
    waiting_choose(&stage.waiting, true, &stage.io);
    return stage.io.waiting;
}

static void streams_are_given_time(void **state)
{
    (void)state;
    assert_in_range(beside_streams(0).batch_us, 50, 200);
    assert_in_range(beside_streams(AUTO).batch_us, 50, 200);
    assert_int_equal(beside_streams(AUTO).busy_poll_us, 0);
}

static void a_fixed_time_of_polling_goes_before_streams(void **state)
{
    (void)state;
    assert_int_equal(beside_streams(20).batch_us, 0);
    assert_int_equal(beside_streams(20).busy_poll_us, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_never_polls),
        cmocka_unit_test(a_fixed_time_is_polled_every_time),
        cmocka_unit_test(auto_polls_while_one_client_asks_and_waits),
        cmocka_unit_test(auto_hardly_polls_when_traffic_is_sparse),
        cmocka_unit_test(a_turn_without_a_wait_is_no_poll_in_vain),
        cmocka_unit_test(an_event_after_a_long_submission_is_met),
        cmocka_unit_test(what_auto_polls_in_vain_is_never_more_than_what_it_met),
        cmocka_unit_test(streams_are_given_time),
        cmocka_unit_test(a_fixed_time_of_polling_goes_before_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
