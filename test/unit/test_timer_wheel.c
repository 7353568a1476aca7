/* test/unit/test_timer_wheel.c: timers fire once and on time, at every level of the wheel; compared with a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/timer_wheel.h"

struct probe {
    struct timer timer;
    struct timer_wheel *wheel;
    uint64_t fired_ms;        /* the wheel's time at the last firing */
    unsigned count;
    struct probe *cancels;    /* the timer that it cancels when it fires, or NULL */
    uint64_t again_ms;        /* delay for which it is re-armed when it fires; 0: not re-armed */
};

static void on_fire(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);

    assert_false(timer->armed);
    probe->fired_ms = probe->wheel->now_ms;
    probe->count++;
    if (probe->cancels)
        timer_cancel(probe->wheel, &probe->cancels->timer);
    if (probe->again_ms)
        timer_arm(probe->wheel, timer, probe->wheel->now_ms + probe->again_ms);
}

static void probe_init(struct probe *probe, struct timer_wheel *wheel)
{
    *probe = (struct probe){.wheel = wheel};
    timer_init(&probe->timer, on_fire);
}

static void test_nothing_armed_means_no_end(void **state)
{
    struct timer_wheel wheel;

    (void)state;
    timer_wheel_init(&wheel, 12345);
    assert_int_equal(timer_wheel_next(&wheel), -1);
    timer_wheel_advance(&wheel, 99999999);
    assert_int_equal(wheel.now_ms, 99999999);
}

/* For distances and start times around the boundaries of the levels, a timer fires at its millisecond and not before. */
static void test_fires_at_its_millisecond(void **state)
{
    static const uint64_t borders[] = {1, 64, 4096, 262144, 16777216, 1073741824};
    struct timer_wheel wheel;
    struct probe probe;

    (void)state;
    for (size_t s = 0; s < 6; s++) {
        for (size_t d = 0; d < 6; d++) {
            for (int i = -2; i <= 2; i++) {
                uint64_t start = borders[s] * 5 + (uint64_t)(i + 2), distance = borders[d] + (uint64_t)(i + 2);

                timer_wheel_init(&wheel, start);
                probe_init(&probe, &wheel);
                timer_arm(&wheel, &probe.timer, start + distance);
                timer_wheel_advance(&wheel, start + distance - 1);
                assert_int_equal(probe.count, 0);
                timer_wheel_advance(&wheel, start + distance);
                assert_int_equal(probe.count, 1);
                assert_int_equal(probe.fired_ms, start + distance);
            }
        }
    }
}

static void test_further_than_the_wheel_reaches(void **state)
{
    const uint64_t reach = (uint64_t)1 << 30, start = 77;
    struct timer_wheel wheel;
    struct probe probe;

    (void)state;
    for (uint64_t due = start + reach - 1; due <= start + reach + 1; due++) {
        timer_wheel_init(&wheel, start);
        probe_init(&probe, &wheel);
        timer_arm(&wheel, &probe.timer, due);
        timer_wheel_advance(&wheel, due - 1);
        assert_int_equal(probe.count, 0);
        timer_wheel_advance(&wheel, due);
        assert_int_equal(probe.count, 1);
    }
    timer_arm(&wheel, &probe.timer, wheel.now_ms + 5 * reach + 3);
    timer_wheel_advance(&wheel, wheel.now_ms + 5 * reach + 2);
    assert_int_equal(probe.count, 1);
    timer_wheel_advance(&wheel, wheel.now_ms + 1);
    assert_int_equal(probe.count, 2);
}

static void test_a_time_gone_by_fires_at_the_next_advance(void **state)
{
    struct timer_wheel wheel;
    struct probe probe;

    (void)state;
    timer_wheel_init(&wheel, 1000);
    probe_init(&probe, &wheel);
    timer_arm(&wheel, &probe.timer, 3);
    assert_int_equal(probe.count, 0);
    assert_int_equal(timer_wheel_next(&wheel), 1);
    timer_wheel_advance(&wheel, 1001);
    assert_int_equal(probe.count, 1);
}

static void test_cancelled_and_moved(void **state)
{
    struct timer_wheel wheel;
    struct probe probe;

    (void)state;
    timer_wheel_init(&wheel, 0);
    probe_init(&probe, &wheel);
    timer_cancel(&wheel, &probe.timer);
    timer_arm(&wheel, &probe.timer, 100);
    timer_cancel(&wheel, &probe.timer);
    assert_int_equal(timer_wheel_next(&wheel), -1);
    timer_arm(&wheel, &probe.timer, 100);
    timer_arm(&wheel, &probe.timer, 5000);
    timer_wheel_advance(&wheel, 4999);
    assert_int_equal(probe.count, 0);
    timer_arm(&wheel, &probe.timer, 5001);
    timer_wheel_advance(&wheel, 5000);
    assert_int_equal(probe.count, 0);
    timer_wheel_advance(&wheel, 5001);
    assert_int_equal(probe.count, 1);
    timer_wheel_advance(&wheel, 100000);
    assert_int_equal(probe.count, 1);
}

static void test_cancels_a_neighbour_while_firing(void **state)
{
    struct timer_wheel wheel;
    struct probe first, second;

    (void)state;
    timer_wheel_init(&wheel, 0);
    probe_init(&first, &wheel);
    probe_init(&second, &wheel);
    first.cancels = &second;
    timer_arm(&wheel, &first.timer, 10);
    timer_arm(&wheel, &second.timer, 10);
    timer_wheel_advance(&wheel, 1000);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    assert_int_equal(timer_wheel_next(&wheel), -1);
}

static void test_arms_itself_again_while_firing(void **state)
{
    struct timer_wheel wheel;
    struct probe probe;

    (void)state;
    timer_wheel_init(&wheel, 0);
    probe_init(&probe, &wheel);
    probe.again_ms = 64; /* the same slot of the lowest level */
    timer_arm(&wheel, &probe.timer, 64);
    timer_wheel_advance(&wheel, 640);
    assert_int_equal(probe.count, 10);
}

/* A caller that sleeps for the time from timer_wheel_next() is never late, and that time is never 0. */
static void test_next_is_never_late(void **state)
{
    struct timer_wheel wheel;
    struct probe probe;
    uint64_t random = 3;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint64_t start = random_next(&random) >> 30, due = start + 1 + random_below(&random, 1u << random_below(&random, 31));

        timer_wheel_init(&wheel, start);
        probe_init(&probe, &wheel);
        timer_arm(&wheel, &probe.timer, due);
        while (probe.count == 0) {
            int64_t next = timer_wheel_next(&wheel);

            assert_true(next > 0);
            assert_true(wheel.now_ms + (uint64_t)next <= due);
            timer_wheel_advance(&wheel, wheel.now_ms + (uint64_t)next);
        }
        assert_int_equal(probe.fired_ms, due);
    }
}

/* Many timers are armed, moved and cancelled at random; the firings must match a list of expiry times. */
static void test_agrees_with_a_list(void **state)
{
    enum { TIMERS = 200, STEPS = 20000 };
    static struct probe probes[TIMERS];
    static uint64_t due[TIMERS]; /* 0: not armed */
    struct timer_wheel wheel;
    uint64_t random = 11;

    (void)state;
    timer_wheel_init(&wheel, 1);
    for (int i = 0; i < TIMERS; i++)
        probe_init(&probes[i], &wheel);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = random_below(&random, TIMERS);

        switch (random_below(&random, 4)) {
        case 0:
            timer_cancel(&wheel, &probes[i].timer);
            due[i] = 0;
            break;
        case 1:
        case 2:
            due[i] = wheel.now_ms + 1 + random_below(&random, 1u << random_below(&random, 20));
            timer_arm(&wheel, &probes[i].timer, due[i]);
            break;
        default:
            timer_wheel_advance(&wheel, wheel.now_ms + random_below(&random, 1u << random_below(&random, 12)));
            for (int k = 0; k < TIMERS; k++) {
                bool passed = due[k] && due[k] <= wheel.now_ms;

                assert_int_equal(probes[k].count, passed ? 1 : 0);
                if (passed)
                    assert_int_equal(probes[k].fired_ms, due[k]);
                probes[k].count = 0;
                due[k] = passed ? 0 : due[k];
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_armed_means_no_end),
        cmocka_unit_test(test_fires_at_its_millisecond),
        cmocka_unit_test(test_further_than_the_wheel_reaches),
        cmocka_unit_test(test_a_time_gone_by_fires_at_the_next_advance),
        cmocka_unit_test(test_cancelled_and_moved),
        cmocka_unit_test(test_cancels_a_neighbour_while_firing),
        cmocka_unit_test(test_arms_itself_again_while_firing),
        cmocka_unit_test(test_next_is_never_late),
        cmocka_unit_test(test_agrees_with_a_list),
    };

    return cmocka_run_group_tests_name("timer_wheel", tests, NULL, NULL);
}
