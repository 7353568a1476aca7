/* test_histogram: percentiles compared with sorted values, the edges of buckets, merging, the limits of the range. */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"

static int setup(void **state) {
    struct histogram *histogram = malloc(sizeof *histogram);
    if (histogram == NULL)
        return -1;
    histogram_init(histogram);
    *state = histogram;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

/* `got` must be equal to `exact`, or above it by less than 1/1024, as the header promises. */
static void assert_close(uint64_t got, uint64_t exact) {
    assert_true(got >= exact);
    assert_true(got == exact || (got - exact) * 1024 < exact);
}

static void empty_answers_zero(void **state) {
    struct histogram *h = *state;
    assert_int_equal(histogram_percentile(h, 50), 0);
    assert_int_equal(histogram_percentile(h, 100), 0);
    assert_int_equal(histogram_min(h), 0);
    assert_int_equal(histogram_max(h), 0);
    assert_true(histogram_mean(h) == 0);
}

static void one_value_is_every_percentile(void **state) {
    struct histogram *h = *state;
    histogram_record(h, 123456789);
    const double percents[] = {0, 0.001, 50, 99.999, 100};
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        assert_int_equal(histogram_percentile(h, percents[i]), 123456789);
    assert_true(histogram_mean(h) == 123456789);
}

static void values_below_2048_are_exact(void **state) {
    struct histogram *h = *state;
    for (uint64_t value = 0; value < 2048; value++)
        histogram_record(h, value);
    assert_int_equal(histogram_percentile(h, 50), 1023); /* the 1024th smallest value */
    assert_int_equal(histogram_percentile(h, 25), 511);
    assert_int_equal(histogram_min(h), 0);
    assert_int_equal(histogram_max(h), 2047);
    assert_true(histogram_mean(h) == 1023.5);
}

static void zero_is_a_value(void **state) {
    struct histogram *h = *state;
    histogram_record(h, 0);
    histogram_record(h, 10);
    assert_int_equal(histogram_min(h), 0);
    assert_int_equal(histogram_percentile(h, 50), 0);
    assert_int_equal(histogram_percentile(h, 51), 10);
}

/* For each power of two, and one less and one more: a single value between 0 and the maximum must come back within its bucket. */
static void octave_edges_keep_their_place(void **state) {
    struct histogram *h = *state;
    for (unsigned bit = 1; bit < HISTOGRAM_VALUE_BITS; bit++) {
        for (int64_t around = -1; around <= 1; around++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)around;
            histogram_init(h);
            histogram_record(h, 0);
            histogram_record(h, value);
            histogram_record(h, HISTOGRAM_VALUE_MAX_NS);
            assert_close(histogram_percentile(h, 60), value);
        }
    }
}

static void buckets_never_go_backwards(void **state) {
    struct histogram *h = *state;
    uint64_t last = 0;
    for (uint64_t value = 1; value < HISTOGRAM_VALUE_MAX_NS; value += value / 500 + 1) {
        histogram_init(h);
        histogram_record(h, value);
        histogram_record(h, UINT64_MAX / 4); /* so that the result is not limited by max */
        uint64_t got = histogram_percentile(h, 50);
        assert_close(got, value);
        assert_true(got >= last);
        last = got;
    }
}

static void longest_value_and_one_more(void **state) {
    struct histogram *h = *state;
    histogram_record(h, HISTOGRAM_VALUE_MAX_NS);
    assert_int_equal(h->buckets[HISTOGRAM_BUCKETS - 1], 1);
    histogram_record(h, HISTOGRAM_VALUE_MAX_NS + 1);
    assert_int_equal(h->buckets[HISTOGRAM_BUCKETS - 1], 2);
    assert_int_equal(histogram_max(h), HISTOGRAM_VALUE_MAX_NS + 1);
    assert_true(HISTOGRAM_VALUE_MAX_NS > UINT64_C(3600) * 1000000000);
}

static void values_all_past_the_range_stay_within_min_and_max(void **state) {
    struct histogram *h = *state;
    histogram_record(h, HISTOGRAM_VALUE_MAX_NS * 2);
    histogram_record(h, HISTOGRAM_VALUE_MAX_NS * 3);
    assert_int_equal(histogram_percentile(h, 50), HISTOGRAM_VALUE_MAX_NS * 2);
    assert_int_equal(histogram_percentile(h, 100), HISTOGRAM_VALUE_MAX_NS * 3);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum { SAMPLES = 20000 };

/* Returns a random value. The values are spread over nine decades, like the latencies of a broken network. */
static uint64_t sample(uint64_t *random) {
    return random_next(random) >> (22 + random_below(random, 30));
}

static void percentiles_agree_with_sorted_values(void **state) {
    struct histogram *h = *state;
    uint64_t *values = malloc(SAMPLES * sizeof *values), random = 7;
    assert_non_null(values);
    for (int i = 0; i < SAMPLES; i++) {
        values[i] = sample(&random);
        histogram_record(h, values[i]);
    }
    qsort(values, SAMPLES, sizeof *values, compare);
    for (int percent = 1; percent < 100; percent++)
        assert_close(histogram_percentile(h, percent), values[SAMPLES / 100 * percent - 1]);
    assert_close(histogram_percentile(h, 99.9), values[SAMPLES / 1000 * 999 - 1]);
    assert_int_equal(histogram_min(h), values[0]);
    assert_int_equal(histogram_max(h), values[SAMPLES - 1]);
    free(values);
}

static void merged_equals_recorded_together(void **state) {
    struct histogram *together = *state;
    struct histogram *parts = malloc(3 * sizeof *parts);
    assert_non_null(parts);
    for (int i = 0; i < 3; i++)
        histogram_init(&parts[i]);
    uint64_t random = 11;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t value = sample(&random);
        histogram_record(together, value);
        histogram_record(&parts[i % 2], value); /* the third part stays empty, and must not change min when the others are merged into it */
    }
    histogram_merge(&parts[2], &parts[0]);
    histogram_merge(&parts[2], &parts[1]);
    assert_memory_equal(&parts[2], together, sizeof *together);
    histogram_init(&parts[0]);
    histogram_merge(&parts[2], &parts[0]);
    assert_memory_equal(&parts[2], together, sizeof *together);
    free(parts);
}

static void percent_out_of_range_is_the_nearer_end(void **state) {
    struct histogram *h = *state;
    histogram_record(h, 5);
    histogram_record(h, 500000);
    assert_int_equal(histogram_percentile(h, -1), 5);
    assert_int_equal(histogram_percentile(h, 101), 500000);
    assert_int_equal(histogram_percentile(h, __builtin_nan("")), 5);
}

static void init_empties_a_used_one(void **state) {
    struct histogram *h = *state;
    histogram_record(h, 42);
    histogram_init(h);
    assert_int_equal(h->count, 0);
    assert_int_equal(histogram_max(h), 0);
    histogram_record(h, 7);
    assert_int_equal(histogram_min(h), 7);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(empty_answers_zero),
        CASE(one_value_is_every_percentile),
        CASE(values_below_2048_are_exact),
        CASE(zero_is_a_value),
        CASE(octave_edges_keep_their_place),
        CASE(buckets_never_go_backwards),
        CASE(longest_value_and_one_more),
        CASE(values_all_past_the_range_stay_within_min_and_max),
        CASE(percentiles_agree_with_sorted_values),
        CASE(merged_equals_recorded_together),
        CASE(percent_out_of_range_is_the_nearer_end),
        CASE(init_empties_a_used_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
