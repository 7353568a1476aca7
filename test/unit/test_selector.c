/* test/unit/test_selector.c: what every algorithm guarantees, then round robin, least
 * connections and random; test_maglev.c has the rest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "pools.h"

#define BALANCES 4

static const enum config_balance balances[BALANCES] = {
    CONFIG_BALANCE_ROUND_ROBIN, CONFIG_BALANCE_LEAST_CONN, CONFIG_BALANCE_RANDOM, CONFIG_BALANCE_CONSISTENT_HASH,
};

static void test_nobody_usable(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], 2);
        pools_open(&p);
        pools_set_up(&p, 0, false);
        pools_set_up(&p, 1, false);
        pools_publish(&p);
        assert_null(pools_pick(&p));
        pools_set_up(&p, 1, true);
        pools_publish(&p);
        assert_ptr_equal(pools_pick(&p), pools_backend(&p, 1));
        pools_close(&p);
    }
}

static void test_a_pick_holds_one_slot(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], 3);
        pools_open(&p);
        struct backend *backend = pools_pick(&p);
        assert_non_null(backend);
        uint32_t total = 0;
        for (size_t i = 0; i < 3; i++)
            total += backend_in_flight(pools_backend(&p, i));
        assert_int_equal(backend_in_flight(backend), 1);
        assert_int_equal(total, 1);
        pools_close(&p);
    }
}

static void test_every_slot_is_found_and_not_one_more(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], 200);
        uint32_t slots = 0;
        for (size_t i = 0; i < 200; i++) {
            p.backends[i].settings.max_connections = (uint32_t)(1 + i % 3);
            p.backends[i].settings.weight = i == 0 ? 256 : (uint32_t)(1 + i % 2);
            slots += p.backends[i].settings.max_connections;
        }
        pools_open(&p);
        for (uint32_t i = 0; i < slots; i++)
            assert_non_null(pools_pick(&p));
        assert_null(pools_pick(&p));
        for (size_t i = 0; i < 200; i++)
            assert_int_equal(backend_in_flight(pools_backend(&p, i)), p.backends[i].settings.max_connections);
        backend_release(pools_backend(&p, 137));
        assert_ptr_equal(pools_pick(&p), pools_backend(&p, 137));
        assert_null(pools_pick(&p));
        pools_close(&p);
    }
}

static void test_tried_backends_are_never_picked_again(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], SELECT_TRIES_MAX + 1);
        pools_open(&p);
        bool seen[SELECT_TRIES_MAX + 1] = { false };
        for (uint32_t tries = 0; tries < SELECT_TRIES_MAX; tries++) {
            struct backend *backend = pools_pick(&p);
            assert_non_null(backend);
            assert_false(seen[backend->id]);
            seen[backend->id] = true;
            backend_release(backend);
            p.request.tried[p.request.tried_count++] = backend->id;
        }
        struct backend *last = pools_pick(&p);
        assert_non_null(last);
        assert_false(seen[last->id]);
        pools_close(&p);
    }
}

static void test_all_tried_or_full(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], 3);
        p.backends[1].settings.max_connections = 1;
        pools_open(&p);
        assert_true(backend_reserve(pools_backend(&p, 1)));
        p.request.tried[0] = 0;
        p.request.tried[1] = 2;
        p.request.tried_count = 2;
        assert_null(pools_pick(&p));
        p.request.tried_count = 1;
        for (int i = 0; i < 10; i++)
            assert_ptr_equal(pools_pick(&p), pools_backend(&p, 2));
        pools_close(&p);
    }
}

enum { THREADS = 4 };

struct picker {
    const struct pools *pools;
    uint64_t random;
    uint32_t picked;
};

static void *pick_until_full(void *argument)
{
    struct picker *self = argument;
    struct addr client = pools_addr("10.0.0.1", 1);
    struct select_request request = { .client = &client, .random = &self->random };
    for (;;) {
        client.in.sin_addr.s_addr = (in_addr_t)random_next(&self->random);
        if (!selector_pick(self->pools->snapshot, &request))
            return NULL;
        self->picked++;
    }
}

static void test_many_workers_fill_a_pool_exactly(void **state)
{
    (void)state;
    for (int b = 0; b < BALANCES; b++) {
        struct pools p;
        pools_init(&p, balances[b], 5);
        for (size_t i = 0; i < 5; i++)
            p.backends[i].settings.max_connections = (uint32_t)(500 * (i + 1));
        pools_open(&p);
        pthread_t threads[THREADS];
        struct picker pickers[THREADS];
        for (unsigned i = 0; i < THREADS; i++) {
            pickers[i] = (struct picker){ .pools = &p, .random = i };
            assert_int_equal(pthread_create(&threads[i], NULL, pick_until_full, &pickers[i]), 0);
        }
        uint32_t picked = 0;
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            picked += pickers[i].picked;
        }
        assert_int_equal(picked, 500 * 15);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(backend_in_flight(pools_backend(&p, i)), 500 * (i + 1));
        pools_close(&p);
    }
}

/* Round robin. */

static void test_round_robin_follows_its_weights_in_every_round(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 3);
    p.backends[0].settings.weight = 5;
    p.backends[1].settings.weight = 3;
    p.backends[2].settings.weight = 2;
    pools_open(&p);
    for (uint32_t round = 1; round <= 20; round++) {
        for (int i = 0; i < 10; i++)
            assert_non_null(pools_pick(&p));
        assert_int_equal(backend_in_flight(pools_backend(&p, 0)), 5 * round);
        assert_int_equal(backend_in_flight(pools_backend(&p, 1)), 3 * round);
        assert_int_equal(backend_in_flight(pools_backend(&p, 2)), 2 * round);
    }
    pools_close(&p);
}

static void test_round_robin_goes_on_after_a_publication(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 4);
    pools_open(&p);
    assert_int_equal(pools_pick(&p)->id, 0);
    assert_int_equal(pools_pick(&p)->id, 1);
    pools_set_up(&p, 3, false);
    pools_publish(&p);
    assert_int_equal(pools_pick(&p)->id, 2);
    pools_close(&p);
}

static void test_round_robin_shares_a_full_ones_places_evenly(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 4);
    p.backends[0].settings.max_connections = 1;
    pools_open(&p);
    for (int i = 0; i < 301; i++)
        assert_non_null(pools_pick(&p));
    assert_int_equal(backend_in_flight(pools_backend(&p, 0)), 1);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(backend_in_flight(pools_backend(&p, i)), 100);
    pools_close(&p);
}

static void test_round_robin_past_a_heavy_full_one(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 3);
    p.backends[0].settings.weight = 256;
    p.backends[0].settings.max_connections = 1;
    pools_open(&p);
    for (int i = 0; i < 201; i++)
        assert_non_null(pools_pick(&p));
    assert_int_equal(backend_in_flight(pools_backend(&p, 0)), 1);
    assert_in_range(backend_in_flight(pools_backend(&p, 1)), 95, 105);
    pools_close(&p);
}

/* Least connections. */

static void test_least_conn_follows_the_weights(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    p.backends[1].settings.weight = 2;
    p.backends[2].settings.weight = 4;
    pools_open(&p);
    for (int i = 0; i < 70; i++)
        assert_non_null(pools_pick(&p));
    assert_int_equal(backend_in_flight(pools_backend(&p, 0)), 10);
    assert_int_equal(backend_in_flight(pools_backend(&p, 1)), 20);
    assert_int_equal(backend_in_flight(pools_backend(&p, 2)), 40);
    pools_close(&p);
}

static void test_least_conn_counts_the_session_to_come(void **state)
{
    (void)state;
    /* Both are idle: (0 + 1) / 4 is less than (0 + 1) / 1. The same holds with 1 and 2 sessions; at 3 the loads are equal. */
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.backends[1].settings.weight = 4;
    pools_open(&p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pools_pick(&p)->id, 1);
    pools_close(&p);
}

static void test_least_conn_sees_what_others_hold(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    pools_open(&p);
    for (int i = 0; i < 5; i++) {
        assert_true(backend_reserve(pools_backend(&p, 0)));
        assert_true(backend_reserve(pools_backend(&p, 2)));
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(pools_pick(&p)->id, 1);
    pools_close(&p);
}

static void test_least_conn_takes_the_next_lowest_past_a_full_one(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    p.backends[0].settings.max_connections = 1;
    pools_open(&p);
    assert_true(backend_reserve(pools_backend(&p, 0)));
    for (int i = 0; i < 2; i++)
        assert_true(backend_reserve(pools_backend(&p, 1)));
    for (int i = 0; i < 4; i++)
        assert_true(backend_reserve(pools_backend(&p, 2)));
    assert_int_equal(pools_pick(&p)->id, 1);
    p.request.tried[p.request.tried_count++] = 1;
    assert_int_equal(pools_pick(&p)->id, 2);
    pools_close(&p);
}

/* Picks and releases `picks` times, and checks that each backend from position `from` on got an even share and the others none. */
static void assert_even(struct pools *p, size_t from, unsigned picks)
{
    unsigned counts[16] = { 0 };
    size_t count = p->pool.backend_count;
    for (unsigned i = 0; i < picks; i++) {
        struct backend *backend = pools_pick(p);
        assert_non_null(backend);
        counts[backend->id]++;
        backend_release(backend);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned ideal = i < from ? 0 : picks / (unsigned)(count - from);
        assert_in_range(counts[i], ideal - ideal / 10, ideal + ideal / 10);
    }
}

static void test_least_conn_spreads_idle_equals_evenly(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 8);
    pools_open(&p);
    assert_even(&p, 0, 16000);
    /* The same holds when some are busy: the backends that follow them must not inherit their share. */
    for (size_t i = 0; i < 4; i++)
        assert_true(backend_reserve(pools_backend(&p, i)));
    assert_even(&p, 4, 16000);
    pools_close(&p);
}

static void test_least_conn_spreads_many_idle_equals_evenly(void **state)
{
    (void)state;
    struct pools p;
    unsigned counts[400] = { 0 };
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 400);
    pools_open(&p);
    for (size_t i = 0; i < 200; i++) /* a long run of busy backends, whose share must not go to the first idle one */
        assert_true(backend_reserve(pools_backend(&p, i)));
    for (unsigned i = 0; i < 200000; i++) {
        struct backend *backend = pools_pick(&p);
        counts[backend->id]++;
        backend_release(backend);
    }
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(counts[i], 0);
    for (size_t i = 200; i < 400; i++)
        assert_in_range(counts[i], 400, 16000);
    pools_close(&p);
}

static void test_least_conn_finds_the_one_with_the_lowest_load_among_many(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3000);
    p.backends[2222].settings.weight = 3;
    pools_open(&p);
    for (int i = 0; i < 2; i++) /* all the others are idle too, but have a lower weight */
        assert_int_equal(pools_pick(&p)->id, 2222);
    for (size_t i = 0; i < 3000; i++)
        for (int n = 0; n < 2 && i != 1111; n++)
            assert_true(backend_reserve(pools_backend(&p, i)));
    assert_int_equal(pools_pick(&p)->id, 1111);
    pools_close(&p);
}

/* Random. */

static void test_random_idle_follows_the_weights(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_RANDOM, 3);
    p.backends[1].settings.weight = 3;
    p.backends[2].settings.weight = 6;
    pools_open(&p);
    unsigned counts[3] = { 0 };
    for (int i = 0; i < 20000; i++) {
        struct backend *backend = pools_pick(&p);
        counts[backend->id]++;
        backend_release(backend);
    }
    assert_in_range(counts[0], 1800, 2200);
    assert_in_range(counts[1], 5700, 6300);
    assert_in_range(counts[2], 11600, 12400);
    pools_close(&p);
}

static void test_random_spares_the_busier_of_two(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_RANDOM, 2);
    pools_open(&p);
    for (int i = 0; i < 10; i++)
        assert_true(backend_reserve(pools_backend(&p, 0)));
    unsigned busier = 0;
    for (int i = 0; i < 1600; i++) {
        struct backend *backend = pools_pick(&p);
        busier += backend->id == 0;
        backend_release(backend);
    }
    assert_in_range(busier, 20, 90); /* all draws are the busier one: half of 1600 times (1/2)^4, 50 */
    pools_close(&p);
}

static void test_random_stays_level(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_RANDOM, 10);
    p.backends[3].settings.weight = 4;
    pools_open(&p);
    for (int i = 0; i < 13000; i++)
        assert_non_null(pools_pick(&p));
    /* With a single draw the counts would be off by about 60 or more. */
    for (size_t i = 0; i < 10; i++) {
        uint32_t weight = p.backends[i].settings.weight;
        assert_in_range(backend_in_flight(pools_backend(&p, i)), 990 * weight, 1010 * weight);
    }
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_usable),
        cmocka_unit_test(test_a_pick_holds_one_slot),
        cmocka_unit_test(test_every_slot_is_found_and_not_one_more),
        cmocka_unit_test(test_tried_backends_are_never_picked_again),
        cmocka_unit_test(test_all_tried_or_full),
        cmocka_unit_test(test_many_workers_fill_a_pool_exactly),
        cmocka_unit_test(test_round_robin_follows_its_weights_in_every_round),
        cmocka_unit_test(test_round_robin_goes_on_after_a_publication),
        cmocka_unit_test(test_round_robin_shares_a_full_ones_places_evenly),
        cmocka_unit_test(test_round_robin_past_a_heavy_full_one),
        cmocka_unit_test(test_least_conn_follows_the_weights),
        cmocka_unit_test(test_least_conn_counts_the_session_to_come),
        cmocka_unit_test(test_least_conn_sees_what_others_hold),
        cmocka_unit_test(test_least_conn_takes_the_next_lowest_past_a_full_one),
        cmocka_unit_test(test_least_conn_spreads_idle_equals_evenly),
        cmocka_unit_test(test_least_conn_spreads_many_idle_equals_evenly),
        cmocka_unit_test(test_least_conn_finds_the_one_with_the_lowest_load_among_many),
        cmocka_unit_test(test_random_idle_follows_the_weights),
        cmocka_unit_test(test_random_spares_the_busier_of_two),
        cmocka_unit_test(test_random_stays_level),
    };
    return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
