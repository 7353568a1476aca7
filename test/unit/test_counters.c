/* test/unit/test_counters.c: slots and counts of a live backend, and the workers' counters, with one thread and with many. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "table/backend.h"
#include "table/counters.h"
#include "table/pool.h"

enum { THREADS = 4, TURNS = 20000 };

static struct pool *pool;

static struct backend *new_backend(uint32_t max_connections)
{
    static const struct config_pool in_pool = { .name = "p" };
    struct config_backend config = { .name = "b", .settings.weight = 1, .settings.max_connections = max_connections };
    pool = pool_new(NULL, &in_pool, 0);
    assert_non_null(pool);
    struct backend *backend = backend_new(pool, &config, 3);
    assert_non_null(backend);
    return backend;
}

static void free_backend(struct backend *backend)
{
    while (backend_in_flight(backend) > 0)
        backend_release(backend);
    backend_free(backend);
    pool_free(pool);
}

static void test_reserves_up_to_the_limit(void **state)
{
    (void)state;
    struct backend *backend = new_backend(2);
    assert_int_equal(backend->id, 3);
    assert_true(backend_reserve(backend));
    assert_false(backend_full(backend));
    assert_true(backend_reserve(backend));
    assert_true(backend_full(backend));
    assert_false(backend_reserve(backend));
    assert_int_equal(backend_in_flight(backend), 2);
    backend_release(backend);
    assert_false(backend_full(backend));
    assert_true(backend_reserve(backend));
    assert_false(backend_reserve(backend));
    free_backend(backend);
}

static void test_without_a_limit_is_never_full(void **state)
{
    (void)state;
    struct backend *backend = new_backend(0);
    assert_false(backend_full(backend));
    for (int i = 0; i < 1000; i++)
        assert_true(backend_reserve(backend));
    assert_false(backend_full(backend));
    assert_int_equal(backend_in_flight(backend), 1000);
    free_backend(backend);
}

struct contender {
    struct backend *backend;
    uint32_t highest; /* the most slots in use that this thread has seen while it held one */
    uint32_t got;
};

/* Holds up to two slots at a time, so that all threads together want more than there are. With few processors, sleeping threads can hold all slots during all
 * turns of this one. It therefore continues until it has had a slot. */
static void *contend(void *argument)
{
    struct contender *self = argument;
    for (int i = 0; i < TURNS || self->got == 0; i++) {
        bool first = backend_reserve(self->backend);
        bool second = backend_reserve(self->backend);
        uint32_t taken = backend_in_flight(self->backend);
        self->highest = taken > self->highest ? taken : self->highest;
        self->got += first + second;
        if (first)
            backend_release(self->backend);
        if (second)
            backend_release(self->backend);
    }
    return NULL;
}

static void test_many_threads_never_exceed_the_limit(void **state)
{
    (void)state;
    struct backend *backend = new_backend(3);
    pthread_t threads[THREADS];
    struct contender contenders[THREADS];
    for (int i = 0; i < THREADS; i++) {
        contenders[i] = (struct contender){ .backend = backend };
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contenders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_in_range(contenders[i].highest, 1, 3);
        assert_true(contenders[i].got > 0);
    }
    assert_int_equal(backend_in_flight(backend), 0);
    free_backend(backend);
}

/* Takes slots until one is refused, and gives none back. All threads together must get exactly the limit. */
static void *take_all(void *argument)
{
    struct contender *self = argument;
    while (backend_reserve(self->backend))
        self->got++;
    return NULL;
}

static void test_many_threads_together_get_exactly_the_limit(void **state)
{
    (void)state;
    struct backend *backend = new_backend(100000);
    pthread_t threads[THREADS];
    struct contender contenders[THREADS];
    uint32_t got = 0;
    for (int i = 0; i < THREADS; i++) {
        contenders[i] = (struct contender){ .backend = backend };
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &contenders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        got += contenders[i].got;
    }
    assert_int_equal(got, 100000);
    assert_int_equal(backend_in_flight(backend), 100000);
    free_backend(backend);
}

static void test_worker_blocks_are_apart_and_zero(void **state)
{
    (void)state;
    struct counters *counters = counters_new(3);
    assert_non_null(counters);
    for (int i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)&counters[i] % 64, 0);
        assert_int_equal(counters_active(&counters[i]), 0);
        assert_int_equal(counters_read(&counters[i].accepted), 0);
        assert_int_equal(counters_read(&counters[i].bytes[1]), 0);
    }
    counters_add(&counters[1].bytes[0], 5);
    counters_add(&counters[1].bytes[0], UINT64_C(1) << 40);
    assert_int_equal(counters_read(&counters[1].bytes[0]), (UINT64_C(1) << 40) + 5);
    assert_int_equal(counters_read(&counters[0].bytes[0]), 0);
    assert_int_equal(counters_read(&counters[1].bytes[1]), 0);
    assert_int_equal(counters_active_add(&counters[2], 7), 0);
    assert_int_equal(counters_active_add(&counters[2], -3), 7);
    assert_int_equal(counters_active(&counters[2]), 4);
    counters_free(counters);
    counters_free(NULL);
}

static void *hand_over(void *argument)
{
    struct counters *worker = argument;
    for (int i = 0; i < TURNS; i++) {
        counters_active_add(worker, 2);
        counters_active_add(worker, -1);
    }
    return NULL;
}

static void test_many_threads_add_to_active(void **state)
{
    (void)state;
    struct counters *counters = counters_new(1);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hand_over, counters), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counters_active(counters), THREADS * TURNS);
    counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserves_up_to_the_limit),
        cmocka_unit_test(test_without_a_limit_is_never_full),
        cmocka_unit_test(test_many_threads_never_exceed_the_limit),
        cmocka_unit_test(test_many_threads_together_get_exactly_the_limit),
        cmocka_unit_test(test_worker_blocks_are_apart_and_zero),
        cmocka_unit_test(test_many_threads_add_to_active),
    };
    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
