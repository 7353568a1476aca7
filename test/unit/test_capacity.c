/* test/unit/test_capacity.c: the weight and the limit of a backend while its agent, or a busy server, changes them, and what each selector makes of it. Test
 * thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "pools.h"

enum { CLIENTS = 20000, MANY = 1000 };

static void set_weight(struct pools *p, size_t i, enum capacity_unit unit, uint32_t value)
{
    table_set_agent_weight(p->table, pools_backend(p, i), (struct capacity_weight){.unit = unit, .value = value});
}

static void set_busy(struct pools *p, size_t i, bool busy)
{
    table_set_state(p->table, pools_backend(p, i), BACKEND_PROBE, busy ? BACKEND_PROBE_BUSY : BACKEND_PROBE_UP);
}

static void test_the_agent_scales_or_replaces_the_weight(void **state)
{
    static const struct {
        uint32_t configured;
        struct capacity_weight agent;
        uint32_t weight;
    } rows[] = {
        {1, {CAPACITY_AS_CONFIGURED, 0}, 100},
        {7, {CAPACITY_PERCENT, 100}, 700},
        {1, {CAPACITY_PERCENT, 75}, 75},
        {1, {CAPACITY_PERCENT, 1}, 1},
        {3, {CAPACITY_PERCENT, 0}, 0},
        {200, {CAPACITY_PERCENT, 300}, 25600},
        {256, {CAPACITY_PERCENT, UINT32_MAX}, 25600},
        {9, {CAPACITY_ABSOLUTE, 30}, 3000},
        {9, {CAPACITY_ABSOLUTE, 0}, 0},
        {9, {CAPACITY_ABSOLUTE, UINT32_MAX}, 25600},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pools p;

        pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
        p.backends[0].settings.weight = rows[i].configured;
        pools_open(&p);
        set_weight(&p, 0, rows[i].agent.unit, rows[i].agent.value);
        assert_int_equal(capacity_weight(pools_backend(&p, 0)), rows[i].weight);
        pools_close(&p);
    }
}

static void test_a_busy_backend_has_half_its_weight(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    pools_open(&p);
    set_busy(&p, 0, true);
    pools_publish(&p);
    assert_int_equal(p.snapshot->usable_count, 2);
    assert_int_equal(p.snapshot->usable[0].weight, 50);
    set_weight(&p, 0, CAPACITY_PERCENT, 1);
    assert_int_equal(capacity_weight(pools_backend(&p, 0)), 1); /* not 0, which would drain it */
    set_weight(&p, 0, CAPACITY_AS_CONFIGURED, 0);
    set_busy(&p, 0, false);
    pools_publish(&p);
    assert_int_equal(p.snapshot->usable[0].weight, 100);
    pools_close(&p);
}

static void test_weight_zero_drains(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 2);
    pools_open(&p);
    set_weight(&p, 0, CAPACITY_ABSOLUTE, 0);
    pools_publish(&p);
    assert_int_equal(backend_standing(pools_backend(&p, 0)), BACKEND_DRAINING);
    assert_int_equal(p.snapshot->usable_count, 1);
    assert_int_equal(table_pool(p.table, 0)->usable, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pools_pick(&p)->id, 1);
    set_weight(&p, 0, CAPACITY_PERCENT, 50);
    pools_publish(&p);
    assert_int_equal(backend_standing(pools_backend(&p, 0)), BACKEND_USABLE);
    assert_int_equal(table_pool(p.table, 0)->usable, 2);
    assert_int_equal(p.snapshot->usable[0].weight, 50);
    pools_close(&p);
}

static void test_an_agent_that_repeats_itself_publishes_nothing(void **state)
{
    struct pools p;
    uint64_t version;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 2);
    pools_open(&p);
    set_weight(&p, 0, CAPACITY_PERCENT, 50);
    pools_publish(&p);
    version = table_load(p.table)->version;
    set_weight(&p, 0, CAPACITY_PERCENT, 50);
    pools_publish(&p);
    assert_int_equal(table_load(p.table)->version, version);
    pools_close(&p);
}

static void test_the_agent_replaces_the_limit(void **state)
{
    struct pools p;
    struct backend *backend;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    p.backends[0].settings.max_connections = 5;
    pools_open(&p);
    backend = pools_backend(&p, 0);
    table_set_agent_limit(backend, 2);
    assert_non_null(pools_pick(&p));
    assert_non_null(pools_pick(&p));
    assert_null(pools_pick(&p));
    p.backends[0].settings.max_connections = 7; /* new settings do not end what the agent said */
    pools_apply(&p);
    assert_null(pools_pick(&p));
    table_set_agent_limit(backend, 0);
    for (int i = 0; i < 5; i++)
        assert_non_null(pools_pick(&p));
    assert_null(pools_pick(&p));
    pools_close(&p);
}

static void test_a_backend_that_comes_back_forgets_its_agent(void **state)
{
    struct pools p;
    struct backend *backend;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    pools_open(&p);
    backend = pools_backend(&p, 1);
    assert_true(backend_reserve(backend)); /* keeps the live object */
    set_weight(&p, 1, CAPACITY_ABSOLUTE, 0);
    table_set_agent_limit(backend, 1);
    table_set_state(p.table, backend, BACKEND_AGENT, BACKEND_AGENT_DOWN);
    p.pool.backend_count = 1;
    pools_apply(&p);
    p.pool.backend_count = 2;
    pools_apply(&p);
    assert_ptr_equal(pools_backend(&p, 1), backend);
    assert_int_equal(p.snapshot->usable_count, 2);
    assert_int_equal(p.snapshot->usable[1].weight, 100);
    assert_int_equal(capacity_limit(backend), 0);
    pools_close(&p);
}

/* ---- what selectors make of it ---- */

static void test_selectors_send_a_busy_backend_half(void **state)
{
    static const enum config_balance balances[] = {CONFIG_BALANCE_ROUND_ROBIN, CONFIG_BALANCE_LEAST_CONN, CONFIG_BALANCE_RANDOM};

    (void)state;
    for (size_t b = 0; b < sizeof(balances) / sizeof(balances[0]); b++) {
        struct pools p;

        pools_init(&p, balances[b], 4);
        pools_open(&p);
        set_busy(&p, 2, true);
        pools_publish(&p);
        for (int i = 0; i < 7000; i++) /* none ends, so that all selectors share out by weight */
            assert_non_null(pools_pick(&p));
        for (size_t i = 0; i < 4; i++)
            assert_in_range(backend_in_flight(pools_backend(&p, i)), i == 2 ? 980 : 1980, i == 2 ? 1020 : 2020);
        pools_close(&p);
    }
}

/* The greatest weights and as many sessions as there can be: 2^32 sessions times 25,600 fit. */
static void test_least_conn_compares_the_greatest_loads(void **state)
{
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.backends[0].settings.weight = p.backends[1].settings.weight = 256;
    pools_open(&p);
    atomic_store_explicit(&pools_backend(&p, 0)->in_flight, 4000000000u, memory_order_relaxed);
    atomic_store_explicit(&pools_backend(&p, 1)->in_flight, 3999999000u, memory_order_relaxed);
    for (int i = 0; i < 500; i++)
        assert_int_equal(pools_pick(&p)->id, 1);
    atomic_store_explicit(&pools_backend(&p, 0)->in_flight, 0, memory_order_relaxed);
    atomic_store_explicit(&pools_backend(&p, 1)->in_flight, 0, memory_order_relaxed);
    pools_close(&p);
}

static uint32_t count_places(const struct pools *p, uint32_t backend)
{
    uint32_t places = 0;

    for (uint32_t place = 0; place < p->snapshot->sequence_count; place++)
        places += p->snapshot->sequence[place] == backend;
    return places;
}

static void test_sequences_stay_short(void **state)
{
    struct pools p;
    uint32_t before;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, MANY);
    pools_open(&p);
    assert_int_equal(p.snapshot->sequence_count, MANY);
    set_busy(&p, 3, true);
    pools_publish(&p);
    assert_int_equal(p.snapshot->sequence_count, 2 * MANY - 1);
    set_weight(&p, 4, CAPACITY_PERCENT, 33); /* the worst case: no common divisor */
    pools_publish(&p);
    assert_in_range(p.snapshot->sequence_count, 60000, 65536); /* scaled, but still in proportion */
    assert_in_range(count_places(&p, 5), 62, 65);
    assert_in_range(count_places(&p, 3), 31, 33);
    assert_in_range(count_places(&p, 4), 20, 22);
    pools_close(&p);

    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, MANY); /* a round that is long anyway gets no longer */
    for (uint32_t i = 0; i < MANY; i++)
        p.backends[i].settings.weight = 1 + i % 256;
    pools_open(&p);
    before = p.snapshot->sequence_count;
    set_weight(&p, 200, CAPACITY_PERCENT, 33);
    pools_publish(&p);
    assert_in_range(p.snapshot->sequence_count, before * 98 / 100, before);
    assert_int_equal(count_places(&p, 0), 1);
    assert_int_equal(count_places(&p, 1), 2);
    assert_in_range(count_places(&p, 199), 197, 200);
    assert_in_range(count_places(&p, 200), 65, 67); /* a third of 201 */
    pools_close(&p);
}

static void pick_all(struct pools *p, uint32_t ids[CLIENTS])
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct backend *backend;

        p->client.in.sin_addr.s_addr = htonl(0x0a000000 + i);
        backend = pools_pick(p);
        assert_non_null(backend);
        ids[i] = backend->id;
        backend_release(backend);
    }
}

/* As the weight of one backend grows step by step, its clients come back to it and stay, and no other client moves. */
static void test_hashed_clients_come_back_as_the_weight_grows(void **state)
{
    static uint32_t whole[CLIENTS], before[CLIENTS], after[CLIENTS];
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 10);
    pools_open(&p);
    pick_all(&p, whole);
    for (uint32_t percent = 5; percent <= 100; percent += 5) {
        uint32_t owned = 0, kept = 0;

        set_weight(&p, 3, CAPACITY_PERCENT, percent);
        pools_publish(&p);
        pick_all(&p, after);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            owned += whole[i] == 3;
            kept += after[i] == 3;
            assert_true(after[i] == whole[i] || whole[i] == 3);
            assert_true(percent == 5 || after[i] == before[i] || after[i] == 3);
        }
        assert_in_range(kept * 100, owned * (percent > 3 ? percent - 3 : 0), owned * (percent + 3));
        memcpy(before, after, sizeof(before));
    }
    assert_memory_equal(after, whole, sizeof(whole));
    pools_close(&p);
}

static void test_hashed_clients_stay_if_all_are_equally_busy(void **state)
{
    static uint32_t before[CLIENTS], after[CLIENTS];
    struct pools p;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 5);
    pools_open(&p);
    pick_all(&p, before);
    for (size_t i = 0; i < 5; i++)
        set_busy(&p, i, true);
    pools_publish(&p);
    pick_all(&p, after);
    assert_memory_equal(after, before, sizeof(before));
    set_weight(&p, 1, CAPACITY_PERCENT, 300); /* more than configured: no client moves for it */
    for (size_t i = 0; i < 5; i++)
        set_busy(&p, i, false);
    pools_publish(&p);
    pick_all(&p, after);
    assert_memory_equal(after, before, sizeof(before));
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_agent_scales_or_replaces_the_weight),
        cmocka_unit_test(test_a_busy_backend_has_half_its_weight),
        cmocka_unit_test(test_weight_zero_drains),
        cmocka_unit_test(test_an_agent_that_repeats_itself_publishes_nothing),
        cmocka_unit_test(test_the_agent_replaces_the_limit),
        cmocka_unit_test(test_a_backend_that_comes_back_forgets_its_agent),
        cmocka_unit_test(test_selectors_send_a_busy_backend_half),
        cmocka_unit_test(test_least_conn_compares_the_greatest_loads),
        cmocka_unit_test(test_sequences_stay_short),
        cmocka_unit_test(test_hashed_clients_come_back_as_the_weight_grows),
        cmocka_unit_test(test_hashed_clients_stay_if_all_are_equally_busy),
    };
    return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
