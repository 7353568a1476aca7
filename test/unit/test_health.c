/* test_health.c: rise, fall, busy and intervals of the judge, and the heap of deadlines. Pure logic without sockets. */
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

/* Feeds the results one after another: P passed, F failed, H timed out while bytes were heard, S timed out in silence. Returns the states after each:
 * U up, B busy, D down, T down by timeouts. */
static const char *judge_all(struct judge *judge, const struct pool_settings *settings, const char *results)
{
    static char states[100];
    static const char names[] = {[BACKEND_PROBE_UP] = 'U', [BACKEND_PROBE_DOWN] = 'D', [BACKEND_PROBE_BUSY] = 'B', [BACKEND_PROBE_TIMED_OUT] = 'T'};
    size_t count = 0;
    for (; results[count] != '\0'; count++) {
        char result = results[count];
        enum backend_probe_state before = judge->state;
        enum probe_outcome outcome = result == 'P' ? PROBE_PASSED : result == 'F' ? PROBE_FAILED : PROBE_TIMED_OUT;
        bool changed = judge_result(judge, settings, outcome, result == 'H');
        assert_int_equal(changed, judge->state != before);
        states[count] = names[judge->state];
    }
    states[count] = '\0';
    return states;
}

static void assert_states(enum backend_probe_state first, const struct pool_settings *settings, const char *results, const char *states)
{
    struct judge judge = { .state = first };
    assert_string_equal(judge_all(&judge, settings, results), states);
}

static void a_backend_goes_down_at_the_last_of_fall_failures(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_UP, &pool, "FFFFF", "UUDDD");
    assert_states(BACKEND_PROBE_UP, &pool, "PFFPFFPFFFF", "UUUUUUUUUDD"); /* a pass restarts the count */
}

static void a_backend_comes_up_at_the_last_of_rise_good_probes(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_DOWN, &pool, "PFPSPHPPF", "DDDDDDDUU"); /* whatever is no pass restarts the count */
    assert_states(BACKEND_PROBE_TIMED_OUT, &pool, "PSPP", "TTTU");
}

static void with_rise_and_fall_of_one_every_result_counts(void **state)
{
    (void)state;
    struct pool_settings hasty = pool;
    hasty.rise = hasty.fall = 1;
    assert_states(BACKEND_PROBE_UP, &hasty, "FPPSPHPH", "DUUTUBUB");
}

static void a_backend_whose_sessions_move_bytes_is_busy_and_never_down(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_UP, &pool, "HHHHHHHHHHPP", "BBBBBBBBBBBU");
    assert_states(BACKEND_PROBE_UP, &pool, "PSSHSSHSSH", "UBBBBBBBBB"); /* bytes now and then are enough */
    assert_states(BACKEND_PROBE_UP, &pool, "FFHFFHFF", "UUBBBBBB"); /* and they interrupt a row of failures */
}

static void a_backend_that_has_just_answered_is_busy_until_its_silence_lasts(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_UP, &pool, "PSSS", "UBBT");
    assert_states(BACKEND_PROBE_UP, &pool, "SSS", "UUT"); /* one that has never answered is not known to be busy */
    assert_states(BACKEND_PROBE_UP, &pool, "PFSS", "UUUD"); /* nor one that refused before */
}

static void a_busy_backend_does_not_change_with_every_probe(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_UP, &pool, "PSPSPHPSPSPP", "UBBBBBBBBBBU");
}

static void refusals_count_as_before_also_while_busy(void **state)
{
    (void)state;
    assert_states(BACKEND_PROBE_UP, &pool, "HFFF", "BBBD");
    assert_states(BACKEND_PROBE_UP, &pool, "HSFS", "BBBD"); /* one refusal: not by timeouts alone */
    assert_states(BACKEND_PROBE_UP, &pool, "HSSSFFFSH", "BBBTTTDDD"); /* what no longer may be only busy, stays down */
}

static void with_busy_is_down_a_timeout_is_a_failure(void **state)
{
    (void)state;
    struct pool_settings strict = pool;
    strict.busy_is_down = true;
    assert_states(BACKEND_PROBE_UP, &strict, "PHHHH", "UUUDD");
}

static void bytes_count_since_the_result_before_and_for_an_interval(void **state)
{
    (void)state;
    const uint64_t s = 1000000000;
    assert_int_equal(judge_heard_since(&pool, 5 * s, 10 * s), 5 * s);
    assert_int_equal(judge_heard_since(&pool, 9 * s, 10 * s), 8 * s);
    assert_int_equal(judge_heard_since(&pool, 0, 1 * s), 0);
}

static uint32_t interval_after(enum backend_probe_state first, const char *results)
{
    struct judge judge = { .state = first };
    judge_all(&judge, &pool, results);
    return judge_interval_ms(&judge, &pool);
}

static void the_interval_follows_the_state(void **state)
{
    (void)state;
    assert_int_equal(interval_after(BACKEND_PROBE_UP, ""), 2000);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "F"), 500);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "FP"), 2000);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "FFF"), 5000);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "SSS"), 5000);
    assert_int_equal(interval_after(BACKEND_PROBE_DOWN, "P"), 500);
    assert_int_equal(interval_after(BACKEND_PROBE_DOWN, "PP"), 2000);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "H"), 2000); /* faster probes would add to the load */
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "HP"), 2000);
    assert_int_equal(interval_after(BACKEND_PROBE_UP, "HS"), 500);
}

static void jitter_fills_its_range_and_stays_inside(void **state)
{
    (void)state;
    uint64_t random = 7, sum = 0;
    uint32_t least = UINT32_MAX, most = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t ms = judge_jittered_ms(100, 50, &random);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        sum += ms;
    }
    assert_int_equal(least, 50);
    assert_int_equal(most, 150);
    assert_in_range(sum / 20000, 98, 102);
    assert_int_equal(judge_jittered_ms(100, 0, &random), 100);
}

static void no_interval_is_zero_or_wraps(void **state)
{
    (void)state;
    uint64_t random = 3;
    assert_int_equal(judge_jittered_ms(0, 50, &random), 1);
    for (int i = 0; i < 1000; i++)
        assert_true(judge_jittered_ms(UINT32_MAX / 2, 50, &random) >= UINT32_MAX / 4 - 1);
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
        cmocka_unit_test(a_backend_comes_up_at_the_last_of_rise_good_probes),
        cmocka_unit_test(with_rise_and_fall_of_one_every_result_counts),
        cmocka_unit_test(a_backend_whose_sessions_move_bytes_is_busy_and_never_down),
        cmocka_unit_test(a_backend_that_has_just_answered_is_busy_until_its_silence_lasts),
        cmocka_unit_test(a_busy_backend_does_not_change_with_every_probe),
        cmocka_unit_test(refusals_count_as_before_also_while_busy),
        cmocka_unit_test(with_busy_is_down_a_timeout_is_a_failure),
        cmocka_unit_test(bytes_count_since_the_result_before_and_for_an_interval),
        cmocka_unit_test(the_interval_follows_the_state),
        cmocka_unit_test(jitter_fills_its_range_and_stays_inside),
        cmocka_unit_test(no_interval_is_zero_or_wraps),
        cmocka_unit_test(first_probes_are_spread_over_a_second_at_most),
        cmocka_unit_test(deadlines_come_in_order_whatever_was_removed_between),
        cmocka_unit_test(the_nearest_check_port_and_address_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
