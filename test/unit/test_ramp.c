/* test/unit/test_ramp.c: slow starts: how they grow, for whom they begin, and when they end. On a fake clock; test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/ramp.h"
#include "pools.h"

#define NS_PER_MS UINT64_C(1000000)

enum { START_MS = 1000000, LATER_MS = 2000000, DURATION_MS = 18000 };

/* Two backends with a slow start of 18 s, in a process that has run for long. */
static void open_running(struct pools *p)
{
    pools_init(p, CONFIG_BALANCE_LEAST_CONN, 2);
    p->pool.settings.slow_start_ms = DURATION_MS;
    p->backends[0].settings.max_connections = 50;
    pools_open(p);
    assert_int_equal(table_advance(p->table, START_MS * NS_PER_MS), UINT64_MAX);
}

/* Returns when to advance next, in milliseconds. */
static uint64_t advance(struct pools *p, uint64_t now_ms)
{
    uint64_t wake_ns = table_advance(p->table, now_ms * NS_PER_MS);

    pools_publish(p);
    return wake_ns / NS_PER_MS;
}

static void assert_share(const struct pools *p, size_t i, uint32_t percent, uint32_t limit)
{
    assert_int_equal(capacity_weight(pools_backend(p, i)), percent);
    assert_int_equal(capacity_limit(pools_backend(p, i)), limit);
}

static void test_it_grows_in_equal_steps(void **state)
{
    (void)state;
    assert_int_equal(ramp_share(0, 18000), 10);
    assert_int_equal(ramp_share(999 * NS_PER_MS, 18000), 10);
    for (uint32_t step = 1; step <= 18; step++) {
        assert_int_equal(ramp_next_ns((step * 1000 - 1000) * NS_PER_MS, 18000), step * 1000 * NS_PER_MS);
        assert_int_equal(ramp_share(step * 1000 * NS_PER_MS, 18000), 10 + 5 * step);
    }
    assert_int_equal(ramp_share(5000 * NS_PER_MS, 30000), 25); /* the example in the header */
    assert_int_equal(ramp_share(UINT64_MAX, 18000), 100);
    assert_int_equal(ramp_next_ns(0, 100), 100 * NS_PER_MS); /* not every 5.6 ms */
    assert_int_equal(ramp_share(3600000 * NS_PER_MS - 1, 3600000), 95);
}

static void test_weight_and_limit_grow_after_a_recovery(void **state)
{
    struct pools p;

    (void)state;
    open_running(&p);
    pools_set_up(&p, 0, false);
    assert_int_equal(advance(&p, LATER_MS), UINT64_MAX / NS_PER_MS);
    pools_set_up(&p, 0, true);
    assert_share(&p, 0, 10, 5); /* at once, so that no publication shows it whole */
    for (uint64_t step = 0; step < 18; step++) {
        assert_int_equal(advance(&p, LATER_MS + step * 1000), LATER_MS + (step + 1) * 1000);
        assert_share(&p, 0, (uint32_t)(10 + 5 * step), (uint32_t)(10 + 5 * step) / 2);
        assert_int_equal(p.snapshot->usable[0].weight, 10 + 5 * step);
    }
    assert_int_equal(advance(&p, LATER_MS + 18000), UINT64_MAX / NS_PER_MS);
    assert_share(&p, 0, 100, 50);
    assert_int_equal(p.snapshot->usable[0].weight, 100);
    assert_share(&p, 1, 100, 0); /* no limit stays no limit */
    pools_close(&p);
}

static void test_it_ends_when_the_backend_goes_down(void **state)
{
    struct pools p;

    (void)state;
    open_running(&p);
    pools_set_up(&p, 0, false);
    pools_set_up(&p, 0, true);
    (void)advance(&p, LATER_MS);
    (void)advance(&p, LATER_MS + 9000);
    assert_share(&p, 0, 55, 27);
    pools_set_up(&p, 0, false);
    assert_int_equal(advance(&p, LATER_MS + 9000), UINT64_MAX / NS_PER_MS);
    assert_share(&p, 0, 100, 50);
    pools_set_up(&p, 0, true); /* and begins anew */
    assert_int_equal(advance(&p, LATER_MS + 20000), LATER_MS + 21000);
    assert_share(&p, 0, 10, 5);
    pools_close(&p);
}

static void test_a_busy_backend_that_starts_has_the_lower_share(void **state)
{
    struct pools p;

    (void)state;
    open_running(&p);
    pools_set_up(&p, 0, false);
    pools_set_up(&p, 0, true);
    (void)advance(&p, LATER_MS);
    table_set_state(p.table, pools_backend(&p, 0), BACKEND_PROBE, BACKEND_PROBE_BUSY);
    (void)advance(&p, LATER_MS);
    assert_share(&p, 0, 10, 5);
    (void)advance(&p, LATER_MS + 17000);
    assert_int_equal(capacity_weight(pools_backend(&p, 0)), 50);
    pools_close(&p);
}

static void test_not_at_the_start_of_the_process(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    p.pool.settings.slow_start_ms = DURATION_MS;
    p.pool.settings.check_initial_up = false;
    p.pool.settings.check = CONFIG_CHECK_TCP;
    p.pool.settings.rise = 2;
    p.pool.settings.check_interval_ms = 2000;
    p.pool.settings.check_timeout_ms = 1000;
    pools_open(&p);
    assert_int_equal(p.snapshot->usable_count, 0);
    (void)advance(&p, START_MS);
    pools_set_up(&p, 0, true); /* its first probes found it up */
    assert_int_equal(advance(&p, START_MS + 3000), UINT64_MAX / NS_PER_MS);
    assert_share(&p, 0, 100, 0);
    pools_set_up(&p, 1, true); /* long after the first probes: it was really down */
    assert_int_equal(advance(&p, START_MS + 60000), START_MS + 61000);
    assert_share(&p, 1, 10, 0);
    pools_set_up(&p, 0, false);
    pools_set_up(&p, 0, true); /* within the time of the first probes, but it had been up */
    (void)advance(&p, START_MS + 4000);
    assert_share(&p, 0, 10, 0);
    pools_close(&p);
}

static void test_backends_of_a_reload_start_slowly(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.pool.settings.slow_start_ms = DURATION_MS;
    p.pool.backend_count = 1;
    pools_open(&p);
    assert_share(&p, 0, 100, 0);
    (void)advance(&p, START_MS);
    p.pool.backend_count = 2;
    pools_apply(&p);
    assert_int_equal(p.snapshot->usable[1].weight, 10);
    assert_int_equal(advance(&p, LATER_MS), LATER_MS + 1000);
    assert_share(&p, 0, 100, 0);
    p.pool.settings.slow_start_ms = 0; /* ends all */
    pools_apply(&p);
    assert_int_equal(advance(&p, LATER_MS + 5000), UINT64_MAX / NS_PER_MS);
    assert_share(&p, 1, 100, 0);
    pools_close(&p);
}

static void test_a_backend_that_leaves_during_it(void **state)
{
    struct pools p;

    (void)state;
    open_running(&p);
    pools_set_up(&p, 1, false);
    pools_set_up(&p, 1, true);
    (void)advance(&p, LATER_MS);
    p.pool.backend_count = 1;
    pools_apply(&p);
    assert_int_equal(advance(&p, LATER_MS + 5000), UINT64_MAX / NS_PER_MS);
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows_in_equal_steps),
        cmocka_unit_test(test_weight_and_limit_grow_after_a_recovery),
        cmocka_unit_test(test_it_ends_when_the_backend_goes_down),
        cmocka_unit_test(test_a_busy_backend_that_starts_has_the_lower_share),
        cmocka_unit_test(test_not_at_the_start_of_the_process),
        cmocka_unit_test(test_backends_of_a_reload_start_slowly),
        cmocka_unit_test(test_a_backend_that_leaves_during_it),
    };
    return cmocka_run_group_tests_name("ramp", tests, NULL, NULL);
}
