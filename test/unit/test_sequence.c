/* test/unit/test_sequence.c: the weighted round-robin sequence: exact counts, smoothness, scaling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "select/sequence.h"
#include "pools.h"

static uint32_t divisor_of(uint32_t a, uint32_t b)
{
    return b == 0 ? a : divisor_of(b, a % b);
}

/* Checks one round against its weights: exact counts, the fewest possible adjacent repeats (the end adjoins the start),
 * and never far from the ideal share. */
static void check_sequence(const uint32_t *weights, size_t count)
{
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, count);
    uint32_t divisor = 0, total = 0, heaviest = 0;
    for (size_t i = 0; i < count; i++)
        divisor = divisor_of(weights[i], divisor);
    for (size_t i = 0; i < count; i++) {
        p.backends[i].settings.weight = weights[i];
        total += weights[i] / divisor;
        heaviest = weights[i] / divisor > heaviest ? weights[i] / divisor : heaviest;
    }
    pools_open(&p);
    assert_int_equal(p.snapshot->sequence_count, total);

    uint32_t *counts = calloc(count, sizeof(*counts));
    uint32_t repeats = 0;
    double furthest = 0;
    for (uint32_t place = 0; place < total; place++) {
        uint32_t i = p.snapshot->sequence[place];
        assert_in_range(i, 0, count - 1);
        counts[i]++;
        repeats += i == p.snapshot->sequence[(place + 1) % total];
        for (size_t k = 0; k < count; k++) {
            double off = counts[k] - (double)(place + 1) * (weights[k] / divisor) / total;
            furthest = off > furthest ? off : -off > furthest ? -off : furthest;
        }
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(counts[i], weights[i] / divisor);
    assert_int_equal(repeats, 2 * heaviest > total ? 2 * heaviest - total : 0);
    assert_true(furthest < 3);
    free(counts);
    pools_close(&p);
}

static void test_sequence_is_exact_and_smooth(void **state)
{
    (void)state;
    static const uint32_t cases[][8] = {
        { 1 }, { 256 }, { 1, 1 }, { 5, 1, 1 }, { 3, 2, 1 }, { 2, 1, 1 }, { 4, 4, 4 }, { 256, 1 }, { 1, 256, 1 },
        { 10, 4, 2, 1 }, { 100, 50, 25 }, { 3, 3, 1, 1 }, { 2, 2, 3 }, { 128, 128, 256 }, { 7, 7, 7, 1 }, { 6, 9, 15 },
        { 8, 4, 2, 1, 1 }, { 128, 64, 32, 16, 8, 4, 2, 1 },
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        size_t count = 0;
        while (count < 8 && cases[c][count] != 0)
            count++;
        check_sequence(cases[c], count);
    }
}

static void test_sequence_of_random_weights(void **state)
{
    (void)state;
    uint64_t generator = 1;
    for (int round = 0; round < 600; round++) {
        uint32_t weights[12];
        size_t count = 1 + random_below(&generator, 12);
        uint32_t most = UINT32_C(1) << (1 + random_below(&generator, 8));
        for (size_t i = 0; i < count; i++)
            weights[i] = 1 + random_below(&generator, most);
        check_sequence(weights, count);
    }
}

static void test_sequence_too_long_is_scaled(void **state)
{
    (void)state;
    enum { COUNT = 8200 }; /* half have weight 256, half 1, and one has 255: over 2^20 in total */
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        p.backends[i].settings.weight = i % 2 ? 256 : 1;
    p.backends[0].settings.weight = 255;
    pools_open(&p);
    struct snapshot_pool pool = *p.snapshot;
    assert_int_equal(sequence_build(&pool), 0);
    assert_in_range(pool.sequence_count, SEQUENCE_MAX / 100 * 98, SEQUENCE_MAX);
    uint32_t *counts = calloc(COUNT, sizeof(*counts));
    for (uint32_t place = 0; place < pool.sequence_count; place++)
        counts[pool.sequence[place]]++;
    for (size_t i = 1; i < COUNT; i++)
        assert_in_range(counts[i], i % 2 ? 250 : 1, i % 2 ? 256 : 1);
    free(counts);
    free((void *)(uintptr_t)pool.sequence);
    pools_close(&p);
}

static void test_sequence_at_its_limit_is_not_scaled(void **state)
{
    (void)state;
    enum { COUNT = 4097 }; /* 4095 * 256 + 255 + 1 = 2^20 */
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        p.backends[i].settings.weight = i == 0 ? 255 : i == 1 ? 1 : 256;
    pools_open(&p);
    struct snapshot_pool pool = *p.snapshot;
    assert_int_equal(sequence_build(&pool), 0);
    assert_int_equal(pool.sequence_count, SEQUENCE_MAX);
    free((void *)(uintptr_t)pool.sequence);
    pools_close(&p);

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        p.backends[i].settings.weight = i == 0 ? 255 : i == 1 ? 2 : 256;
    pools_open(&p);
    pool = *p.snapshot;
    assert_int_equal(sequence_build(&pool), 0);
    assert_in_range(pool.sequence_count, SEQUENCE_MAX / 100 * 98, SEQUENCE_MAX);
    free((void *)(uintptr_t)pool.sequence);
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence_is_exact_and_smooth),
        cmocka_unit_test(test_sequence_of_random_weights),
        cmocka_unit_test(test_sequence_too_long_is_scaled),
        cmocka_unit_test(test_sequence_at_its_limit_is_not_scaled),
    };
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
