/* test_sources: table/sources: exact for one source, never below the true number of any source, and never above the limit when threads count at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"
#include "table/sources.h"

enum { SOURCES = 10000, STEPS = 300000, THREADS = 4, ROUNDS = 50000 };

static void one_source_is_counted_exactly(void **state)
{
    struct sources *sources = sources_new();
    (void)state;

    assert_non_null(sources);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 7; i++)
            assert_true(sources_take(sources, 0x23456789, 7));
        assert_false(sources_take(sources, 0x23456789, 7));
        assert_false(sources_take(sources, 0x23456789, 3)); /* a limit that was lowered */
        assert_true(sources_take(sources, 0x23456789, 8));
        for (int i = 0; i < 8; i++)
            sources_give(sources, 0x23456789);
    }
    sources_free(sources);
    sources_free(NULL);
}

static void addresses_have_hashes_that_nobody_can_predict(void **state)
{
    struct sources *sources = sources_new(), *others = sources_new();
    (void)state;

    assert_non_null(sources);
    assert_non_null(others);
    assert_true(sources_hash(sources, "one", 3) == sources_hash(sources, "one", 3));
    assert_true(sources_hash(sources, "one", 3) != sources_hash(sources, "two", 3));
    assert_true(sources_hash(sources, "one", 3) != sources_hash(others, "one", 3));
    sources_free(sources);
    sources_free(others);
}

static void no_limit_refuses_nothing(void **state)
{
    struct sources *sources = sources_new();
    (void)state;

    assert_non_null(sources);
    for (int i = 0; i < 100000; i++)
        assert_true(sources_take(sources, 5, UINT32_MAX));
    sources_free(sources);
}

static void source_that_shares_one_counter_is_not_affected(void **state)
{
    struct sources *sources = sources_new();
    (void)state;

    assert_non_null(sources);
    for (int i = 0; i < 5; i++) { /* the low 16 bits choose the counter of one row, the next 16 bits that of the other one */
        assert_true(sources_take(sources, 0x00010002, 5));
        assert_true(sources_take(sources, 0x00010003, 5));
    }
    assert_false(sources_take(sources, 0x00010002, 5));
    assert_true(sources_take(sources, 0x00040002, 1)); /* the other row */
    assert_false(sources_take(sources, 0x00040003, 1)); /* both rows are shared */
    sources_free(sources);
}

/* Random flows of many sources, against a count of each. A source at its limit is always refused; one below it seldom. */
static void random_flows_never_exceed_the_limit(void **state)
{
    static uint32_t true_count[SOURCES];
    struct sources *sources = sources_new();
    uint64_t below = 0, refused_below = 0, random = 1;
    (void)state;

    assert_non_null(sources);
    for (int step = 0; step < STEPS; step++) {
        uint64_t chance = random_next(&random), source = chance % SOURCES, hash = hash_bytes(&source, sizeof(source), 1, 2);

        if ((chance >> 32) % 5 < 2 && true_count[source] > 0) {
            sources_give(sources, hash);
            true_count[source]--;
        } else if (sources_take(sources, hash, 4)) {
            assert_true(true_count[source]++ < 4);
            below++;
        } else if (true_count[source] < 4) {
            refused_below++;
        }
    }
    assert_true(refused_below > 0); /* otherwise the next line says nothing */
    assert_true(refused_below * 50 < below);
    sources_free(sources);
}

/* ---- several threads ---- */

struct shared {
    struct sources *sources;
    pthread_barrier_t barrier;
    _Atomic uint32_t taken;
    uint32_t taken_max;
};

/* All threads try at once to take one of two places of the same source. */
static void *compete(void *context)
{
    struct shared *shared = context;

    for (int i = 0; i < ROUNDS; i++) {
        bool taken;

        (void)pthread_barrier_wait(&shared->barrier);
        taken = sources_take(shared->sources, 77, 2);
        shared->taken += taken;
        if (pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            uint32_t sum = shared->taken;

            if (sum > shared->taken_max)
                shared->taken_max = sum;
            shared->taken = 0;
        }
        (void)pthread_barrier_wait(&shared->barrier);
        if (taken)
            sources_give(shared->sources, 77);
    }
    return NULL;
}

/* Takes and gives without pause. The number of flows at any time is counted from outside: after a take, before a give. */
static void *churn(void *context)
{
    struct shared *shared = context;

    for (int i = 0; i < 40 * ROUNDS; i++) {
        if (!sources_take(shared->sources, 77, 2))
            continue;
        if (++shared->taken > 2)
            shared->taken_max = 3;
        shared->taken--;
        sources_give(shared->sources, 77);
    }
    return NULL;
}

static void run_threads(void *(*body)(void *), struct shared *shared)
{
    pthread_t threads[THREADS];

    shared->sources = sources_new();
    assert_non_null(shared->sources);
    assert_int_equal(pthread_barrier_init(&shared->barrier, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, shared), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_barrier_destroy(&shared->barrier), 0);
    assert_true(sources_take(shared->sources, 77, 1)); /* everything was given back */
    sources_free(shared->sources);
}

static void threads_that_compete_never_exceed_the_limit(void **state)
{
    struct shared shared = {0};
    (void)state;

    run_threads(compete, &shared);
    assert_true(shared.taken_max <= 2);
    assert_true(shared.taken_max > 0);
}

static void threads_that_churn_never_exceed_the_limit(void **state)
{
    struct shared shared = {0};
    (void)state;

    run_threads(churn, &shared);
    assert_true(shared.taken_max <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_source_is_counted_exactly),
        cmocka_unit_test(addresses_have_hashes_that_nobody_can_predict),
        cmocka_unit_test(no_limit_refuses_nothing),
        cmocka_unit_test(source_that_shares_one_counter_is_not_affected),
        cmocka_unit_test(random_flows_never_exceed_the_limit),
        cmocka_unit_test(threads_that_compete_never_exceed_the_limit),
        cmocka_unit_test(threads_that_churn_never_exceed_the_limit),
    };

    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
