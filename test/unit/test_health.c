/* test_health.c: rise, fall and intervals of the judge, and the heap of deadlines. Pure logic without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/hash.h"
#include "config/config.h"
#include "health/due.h"
#include "health/judge.h"
#include "health/probe.h"
#include "table/backend.h"
#include "table/pool.h"

static const struct pool_settings pool = {
    .check_interval_ms = 2000, .check_fast_interval_ms = 500, .check_down_interval_ms = 5000, .rise = 2, .fall = 3,
};

static void a_backend_goes_down_at_the_last_of_fall_failures(void **state)
{
    (void)state;
    struct judge judge = { .up = true };
    assert_false(judge_result(&judge, &pool, false));
    assert_false(judge_result(&judge, &pool, false));
    assert_true(judge.up);
    assert_true(judge_result(&judge, &pool, false));
    assert_false(judge.up);
    assert_false(judge_result(&judge, &pool, false)); /* a change is reported only once */
}

static void a_good_probe_between_failures_starts_the_row_anew(void **state)
{
    (void)state;
    struct judge judge = { .up = true };
    for (int i = 0; i < 10; i++) {
        assert_false(judge_result(&judge, &pool, false));
        assert_false(judge_result(&judge, &pool, false));
        assert_false(judge_result(&judge, &pool, true));
        assert_true(judge.up);
    }
}

static void a_backend_comes_up_at_the_last_of_rise_good_probes(void **state)
{
    (void)state;
    struct judge judge = { .up = false };
    assert_false(judge_result(&judge, &pool, true));
    assert_false(judge_result(&judge, &pool, false)); /* a failure restarts the count of good probes */
    assert_false(judge_result(&judge, &pool, true));
    assert_false(judge.up);
    assert_true(judge_result(&judge, &pool, true));
    assert_true(judge.up);
}

static void with_rise_and_fall_of_one_every_result_counts(void **state)
{
    (void)state;
    struct pool_settings hasty = pool;
    struct judge judge = { .up = true };
    hasty.rise = hasty.fall = 1;
    assert_true(judge_result(&judge, &hasty, false));
    assert_true(judge_result(&judge, &hasty, true));
    assert_false(judge_result(&judge, &hasty, true));
}

static void the_interval_follows_the_state(void **state)
{
    (void)state;
    uint64_t random = 1;
    struct judge judge = { .up = true };
    assert_int_equal(judge_interval_ms(&judge, &pool, &random), 2000);
    judge_result(&judge, &pool, false);
    assert_int_equal(judge_interval_ms(&judge, &pool, &random), 500);
    judge_result(&judge, &pool, false);
    judge_result(&judge, &pool, false);
    assert_int_equal(judge_interval_ms(&judge, &pool, &random), 5000);
    judge_result(&judge, &pool, true);
    assert_int_equal(judge_interval_ms(&judge, &pool, &random), 500);
    judge_result(&judge, &pool, true);
    assert_int_equal(judge_interval_ms(&judge, &pool, &random), 2000);
}

static void jitter_fills_its_range_and_stays_inside(void **state)
{
    (void)state;
    struct pool_settings jittered = pool;
    struct judge judge = { .up = true };
    uint64_t random = 7, sum = 0;
    uint32_t least = UINT32_MAX, most = 0;
    jittered.check_jitter_percent = 50;
    jittered.check_interval_ms = 100;
    for (int i = 0; i < 20000; i++) {
        uint32_t ms = judge_interval_ms(&judge, &jittered, &random);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        sum += ms;
    }
    assert_int_equal(least, 50);
    assert_int_equal(most, 150);
    assert_in_range(sum / 20000, 98, 102);
}

static void no_interval_is_zero_or_wraps(void **state)
{
    (void)state;
    struct pool_settings extreme = pool;
    struct judge judge = { .up = true };
    uint64_t random = 3;
    extreme.check_jitter_percent = 50;
    extreme.check_interval_ms = 0;
    assert_int_equal(judge_interval_ms(&judge, &extreme, &random), 1);
    extreme.check_interval_ms = UINT32_MAX / 2;
    for (int i = 0; i < 1000; i++)
        assert_true(judge_interval_ms(&judge, &extreme, &random) >= UINT32_MAX / 4 - 1);
}

static void first_probes_are_spread_over_a_second_at_most(void **state)
{
    (void)state;
    struct pool_settings quick = pool;
    assert_int_equal(judge_first_ms(&pool, 0, 10000), 0);
    assert_int_equal(judge_first_ms(&pool, 5000, 10000), 500);
    assert_int_equal(judge_first_ms(&pool, 9999, 10000), 999);
    quick.check_interval_ms = 100;
    assert_int_equal(judge_first_ms(&quick, 9999, 10000), 99);
    assert_int_equal(judge_first_ms(&quick, 0, 1), 0);
}

enum { ITEMS = 2000 };

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void deadlines_come_in_order_whatever_was_removed_between(void **state)
{
    (void)state;
    static struct due items[ITEMS];
    static uint64_t expected[ITEMS];
    struct due_heap heap = { 0 };
    uint64_t random = 42;
    size_t count = 0;
    for (size_t capacity = 1; capacity <= ITEMS; capacity++)
        assert_int_equal(due_heap_reserve(&heap, capacity), 0);
    assert_null(due_first(&heap));
    for (int i = 0; i < ITEMS; i++)
        due_add(&heap, &items[i], random_below(&random, 1000));
    for (int i = 0; i < ITEMS; i++) {
        uint32_t dice = random_below(&random, 3);
        if (dice == 0) {
            due_remove(&heap, &items[i]);
            continue;
        }
        if (dice == 1) {
            due_remove(&heap, &items[i]);
            due_add(&heap, &items[i], random_below(&random, 1000));
        }
        expected[count++] = items[i].at_ns;
    }
    qsort(expected, count, sizeof expected[0], compare_u64);
    for (size_t i = 0; i < count; i++) {
        struct due *due = due_first(&heap);
        assert_non_null(due);
        assert_int_equal(due->at_ns, expected[i]);
        due_remove(&heap, due);
        assert_int_equal(due->position, 0);
    }
    assert_null(due_first(&heap));
    due_heap_deinit(&heap);
    due_heap_deinit(&heap);
}

static struct addr parse(const char *text)
{
    struct addr addr;
    assert_null(addr_parse(&addr, text));
    return addr;
}

static void assert_probed(const struct pool_settings *checked, const struct config_backend *config, const char *expected)
{
    struct addr out;
    char text[ADDR_TEXT_BYTES];
    struct pool *in = pool_new(NULL, &(struct config_pool){ .name = "p" }, 0);
    assert_non_null(in);
    struct backend *backend = backend_new(in, config, 0);
    assert_non_null(backend);
    probe_address(&out, checked, backend);
    backend_free(backend);
    pool_free(in);
    assert_string_equal(addr_format(&out, text, sizeof text), expected);
}

static void the_nearest_check_port_and_address_win(void **state)
{
    (void)state;
    struct pool_settings checked = pool;
    struct config_backend backend = { .name = "b", .addr = parse("10.0.0.1:80") };
    assert_probed(&checked, &backend, "10.0.0.1:80");
    checked.check_port = 81;
    assert_probed(&checked, &backend, "10.0.0.1:81");
    backend.settings.check_port = 82;
    assert_probed(&checked, &backend, "10.0.0.1:82");
    checked.check_address_set = true;
    checked.check_address = parse("[::1]:9");
    assert_probed(&checked, &backend, "[::1]:82");
    backend.settings.check_port = 0;
    assert_probed(&checked, &backend, "[::1]:81");
    checked.check_port = 0;
    assert_probed(&checked, &backend, "[::1]:80");
    checked.check_address_set = false;
    backend.addr = parse("unix:/run/model.sock");
    checked.check_port = 81;
    assert_probed(&checked, &backend, "unix:/run/model.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_goes_down_at_the_last_of_fall_failures),
        cmocka_unit_test(a_good_probe_between_failures_starts_the_row_anew),
        cmocka_unit_test(a_backend_comes_up_at_the_last_of_rise_good_probes),
        cmocka_unit_test(with_rise_and_fall_of_one_every_result_counts),
        cmocka_unit_test(the_interval_follows_the_state),
        cmocka_unit_test(jitter_fills_its_range_and_stays_inside),
        cmocka_unit_test(no_interval_is_zero_or_wraps),
        cmocka_unit_test(first_probes_are_spread_over_a_second_at_most),
        cmocka_unit_test(deadlines_come_in_order_whatever_was_removed_between),
        cmocka_unit_test(the_nearest_check_port_and_address_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
