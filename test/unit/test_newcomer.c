/* test/unit/test_newcomer.c: least_conn does not flood a backend that has just become usable. Test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pools.h"

#define NS_PER_MS UINT64_C(1000000)

enum { COUNT = 10, BUSY = 100, START_MS = 1000000, LATER_MS = 2000000 };

/* Ten backends with 100 sessions each. The first `restarted` were restarted while the process ran, and have none. */
static void open_restarted(struct pools *p, size_t restarted, uint32_t slow_start_ms)
{
    pools_init(p, CONFIG_BALANCE_LEAST_CONN, COUNT);
    p->pool.settings.slow_start_ms = slow_start_ms;
    pools_open(p);
    (void)table_advance(p->table, START_MS * NS_PER_MS);
    for (size_t i = 0; i < COUNT; i++) {
        pools_set_up(p, i, i >= restarted);
        for (int n = 0; n < BUSY && i >= restarted; n++)
            assert_true(backend_reserve(pools_backend(p, i)));
    }
    for (size_t i = 0; i < restarted; i++)
        pools_set_up(p, i, true);
    (void)table_advance(p->table, LATER_MS * NS_PER_MS);
    pools_publish(p);
}

static uint32_t pick_many(struct pools *p, size_t id, int count)
{
    uint32_t before = backend_in_flight(pools_backend(p, id));

    for (int i = 0; i < count; i++)
        assert_non_null(pools_pick(p));
    return backend_in_flight(pools_backend(p, id)) - before;
}

static void test_a_newcomer_gets_at_most_twice_its_share(void **state)
{
    struct pools p;

    (void)state;
    open_restarted(&p, 1, 0);
    assert_in_range(pick_many(&p, 0, 110), 9, 31); /* 20 of 110 are due */
    while (backend_is_newcomer(pools_backend(&p, 0)))
        assert_non_null(pools_pick(&p));
    assert_int_equal(backend_in_flight(pools_backend(&p, 0)), BACKEND_NEWCOMER_SESSIONS);
    assert_int_equal(pick_many(&p, 0, 20), 20); /* then it is the least loaded one, and no longer new */
    pools_close(&p);
}

static void test_newcomers_share_what_they_get(void **state)
{
    struct pools p;
    uint32_t taken = 0;

    (void)state;
    open_restarted(&p, 2, 0);
    for (int i = 0; i < 60; i++)
        assert_non_null(pools_pick(&p));
    for (size_t i = 0; i < 2; i++) {
        assert_in_range(backend_in_flight(pools_backend(&p, i)), 4, 16);
        taken += backend_in_flight(pools_backend(&p, i));
    }
    assert_in_range(taken, 10, 31); /* 4 of 12 are due: 20 */
    pools_close(&p);
}

static void test_a_newcomer_gets_all_if_no_other_is_open(void **state)
{
    struct pools p;

    (void)state;
    open_restarted(&p, 1, 0);
    for (size_t i = 1; i < COUNT; i++)
        table_set_agent_limit(pools_backend(&p, i), BUSY);
    assert_int_equal(pick_many(&p, 0, 200), 200);
    pools_close(&p);
}

static void test_nobody_is_new_at_the_start(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.pool.settings.check = CONFIG_CHECK_TCP;
    p.pool.settings.check_initial_up = false;
    p.pool.settings.rise = 2;
    p.pool.settings.check_interval_ms = 2000;
    pools_open(&p);
    (void)table_advance(p.table, START_MS * NS_PER_MS);
    pools_set_up(&p, 0, true);
    pools_set_up(&p, 1, true);
    (void)table_advance(p.table, (START_MS + 2000) * NS_PER_MS);
    pools_publish(&p);
    for (int i = 0; i < BUSY; i++)
        assert_true(backend_reserve(pools_backend(&p, 1)));
    assert_int_equal(pick_many(&p, 0, 20), 20);
    pools_close(&p);
}

static void test_a_slow_start_replaces_it(void **state)
{
    struct pools p;

    (void)state;
    open_restarted(&p, 1, 30000);
    assert_false(backend_is_newcomer(pools_backend(&p, 0)));
    assert_int_equal(pick_many(&p, 0, 30), 10); /* (9 + 1) / 10 % is less than (100 + 1) / 100 %, and one more would not be */
    pools_close(&p);
}

static void test_a_reload_adds_newcomers(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.pool.backend_count = 1;
    pools_open(&p);
    (void)table_advance(p.table, START_MS * NS_PER_MS);
    p.pool.backend_count = 2;
    pools_apply(&p);
    assert_true(backend_is_newcomer(pools_backend(&p, 1))); /* when it is published, not only after the next table_advance() */
    assert_false(backend_is_newcomer(pools_backend(&p, 0)));
    (void)table_advance(p.table, LATER_MS * NS_PER_MS);
    assert_true(backend_is_newcomer(pools_backend(&p, 1)));
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newcomer_gets_at_most_twice_its_share),
        cmocka_unit_test(test_newcomers_share_what_they_get),
        cmocka_unit_test(test_a_newcomer_gets_all_if_no_other_is_open),
        cmocka_unit_test(test_nobody_is_new_at_the_start),
        cmocka_unit_test(test_a_slow_start_replaces_it),
        cmocka_unit_test(test_a_reload_adds_newcomers),
    };
    return cmocka_run_group_tests_name("newcomer", tests, NULL, NULL);
}
