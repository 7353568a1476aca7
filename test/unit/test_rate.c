/* test_rate: table/rate: the bound of its header holds over every span of random times, and for several threads together; what is due passes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "table/rate.h"

#define SECOND_NS UINT64_C(1000000000)
enum { EVENTS = 20000, THREADS = 4 };

static uint64_t chance = 1;

/* The number of events that the header allows over a span. */
static double allowed(uint64_t span_ns, uint32_t per_second, uint64_t burst_ns)
{
    return (double)per_second * (double)(span_ns + burst_ns) / (double)SECOND_NS + 1;
}

/* Tries events at random times. Requires that no span from one event that passed to another one has more than the bound. */
static void expect_bound(uint32_t per_second, uint64_t burst_ns, uint64_t pause_max_ns)
{
    static uint64_t passed[EVENTS];
    struct rate rate = {0};
    uint64_t now_ns = clock_now_ns();
    size_t count = 0;

    for (int i = 0; i < EVENTS; i++) {
        now_ns += random_next(&chance) % (pause_max_ns + 1);
        if (rate_take(&rate, now_ns, per_second, burst_ns))
            passed[count++] = now_ns;
    }
    assert_true(count > 1);
    for (size_t first = 0; first < count; first += count / 50 + 1)
        for (size_t last = first; last < count; last++)
            if ((double)(last - first + 1) > allowed(passed[last] - passed[first], per_second, burst_ns) + 1e-6)
                fail_msg("%u per second, burst %llu ns: %zu events in %llu ns", per_second, (unsigned long long)burst_ns, last - first + 1,
                         (unsigned long long)(passed[last] - passed[first]));
}

static void bound_holds_over_every_span(void **state)
{
    static const uint32_t rates[] = {1, 2, 3, 7, 999, 1000, 600000, 3000001, 7000000, 10000000};
    (void)state;

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t due_ns = SECOND_NS / rates[i];

        expect_bound(rates[i], 0, due_ns / 3);
        expect_bound(rates[i], SECOND_NS / 10, due_ns / 3);
        expect_bound(rates[i], SECOND_NS / 10, due_ns * 2);
        expect_bound(rates[i], 20 * due_ns, due_ns * 2);
    }
}

static void burst_passes_at_once_and_then_as_time_goes_by(void **state)
{
    struct rate rate = {0};
    uint64_t now_ns = 5 * SECOND_NS;
    (void)state;

    for (int i = 0; i < 101; i++) /* a tenth of a second's events, and the first one */
        assert_true(rate_take(&rate, now_ns, 1000, SECOND_NS / 10));
    assert_false(rate_take(&rate, now_ns, 1000, SECOND_NS / 10));
    assert_false(rate_take(&rate, now_ns + 999999, 1000, SECOND_NS / 10));
    assert_true(rate_take(&rate, now_ns + 1000000, 1000, SECOND_NS / 10));
    assert_false(rate_take(&rate, now_ns + 1000000, 1000, SECOND_NS / 10));
    now_ns += SECOND_NS; /* after a pause the whole burst is there again, and no more than that */
    for (int i = 0; i < 101; i++)
        assert_true(rate_take(&rate, now_ns, 1000, SECOND_NS / 10));
    assert_false(rate_take(&rate, now_ns, 1000, SECOND_NS / 10));
}

static void refused_events_cost_nothing(void **state)
{
    struct rate rate = {0};
    (void)state;

    assert_true(rate_take(&rate, SECOND_NS, 1, 0));
    for (int i = 0; i < 1000; i++)
        assert_false(rate_take(&rate, SECOND_NS + SECOND_NS / 2, 1, 0));
    assert_true(rate_take(&rate, 2 * SECOND_NS, 1, 0));
}

struct taker {
    struct rate *rate;
    uint64_t passed;
    pthread_t thread;
};

/* Time is the same in all threads: a clock of their own, in steps, so that the bound can be compared exactly. */
static void *take_all(void *context)
{
    struct taker *taker = context;

    for (uint64_t now_ns = SECOND_NS; now_ns < 2 * SECOND_NS; now_ns += 10000)
        taker->passed += rate_take(taker->rate, now_ns, 100000, SECOND_NS / 1000);
    return NULL;
}

static void threads_share_one_bound(void **state)
{
    (void)state;

    for (int round = 0; round < 20; round++) {
        struct rate rate = {0};
        struct taker takers[THREADS];
        uint64_t passed = 0;

        for (int i = 0; i < THREADS; i++) {
            takers[i] = (struct taker){.rate = &rate};
            assert_int_equal(pthread_create(&takers[i].thread, NULL, take_all, &takers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
            passed += takers[i].passed;
        }
        assert_true(passed <= 100000 + 100 + 1);
        assert_true(passed >= 100000); /* one thread alone takes all that is due */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_holds_over_every_span),
        cmocka_unit_test(burst_passes_at_once_and_then_as_time_goes_by),
        cmocka_unit_test(refused_events_cost_nothing),
        cmocka_unit_test(threads_share_one_bound),
    };

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
