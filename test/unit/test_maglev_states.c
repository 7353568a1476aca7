/* test/unit/test_maglev_states.c: consistent hashing while backends go down and come back, and while the configuration changes:
 * which clients move, and when the table is rebuilt. Test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "pools.h"

enum { MANY = 100, CLIENTS = 20000 };

/* The id of the backend that client 10.x.y.z gets; in these tests it is the backend's position in the configuration. Releases the slot. */
static uint32_t pick_id(struct pools *p, uint32_t client)
{
    struct backend *backend;

    p->client.in.sin_addr.s_addr = htonl(0x0a000000 + client);
    backend = pools_pick(p);
    assert_non_null(backend);
    backend_release(backend);
    return backend->id;
}

static void pick_all(struct pools *p, uint32_t ids[CLIENTS])
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        ids[i] = pick_id(p, i);
}

static bool is_up(const struct pools *p, size_t i)
{
    return backend_standing(pools_backend(p, i)) == BACKEND_USABLE;
}

static void init_weighted(struct pools *p, size_t count)
{
    pools_init(p, CONFIG_BALANCE_CONSISTENT_HASH, count);
    for (size_t i = 0; i < count; i++)
        p->backends[i].settings.weight = (uint32_t)(1 + i % 5);
}

/* Backends go down and come back at random; midway most of them are down. */
static void test_no_key_moves_between_backends_that_stay_up(void **state)
{
    (void)state;
    static uint32_t first[CLIENTS], before[CLIENTS], after[CLIENTS];
    uint64_t random = 5;
    struct pools p;

    init_weighted(&p, 30);
    pools_open(&p);
    pick_all(&p, first);
    memcpy(before, first, sizeof(before));
    for (int step = 0; step < 150; step++) {
        uint32_t changed = random_below(&random, 29); /* the last one stays up */
        bool is_back = step >= 100;

        if (is_up(&p, changed) == is_back)
            continue;
        pools_set_up(&p, changed, is_back);
        pools_publish(&p);
        pick_all(&p, after);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            assert_true(is_up(&p, after[i]));
            if (is_back)
                assert_true(after[i] == before[i] || after[i] == changed);
            else
                assert_true(after[i] == before[i] || before[i] == changed);
        }
        memcpy(before, after, sizeof(before));
    }
    for (size_t i = 0; i < 30; i++)
        pools_set_up(&p, i, true);
    pools_publish(&p);
    pick_all(&p, after);
    assert_memory_equal(after, first, sizeof(first));
    pools_close(&p);
}

static void test_keys_of_a_down_backend_spread_by_weight(void **state)
{
    (void)state;
    static uint32_t before[CLIENTS], after[CLIENTS];
    uint32_t counts[6] = {0}, moved = 0;
    struct pools p;

    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 6);
    for (size_t i = 0; i < 6; i++)
        p.backends[i].settings.weight = (uint32_t)(i + 1);
    pools_open(&p);
    pick_all(&p, before);
    pools_set_up(&p, 5, false);
    pools_publish(&p);
    pick_all(&p, after);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (before[i] == 5) {
            counts[after[i]]++;
            moved++;
        }
    }
    assert_in_range(moved, CLIENTS * 5 / 21, CLIENTS * 7 / 21); /* a weight of 6 out of 21 */
    for (uint32_t i = 0; i < 5; i++)
        assert_in_range(counts[i], moved * (i + 1) / 15 * 85 / 100, moved * (i + 1) / 15 * 115 / 100);
    pools_close(&p);
}

/* Only every `nth` backend is up. Each weight gets its share, and a pick does not walk the table or the pool. */
static void assert_spread_with_few_up(size_t count, size_t nth, unsigned tolerance_percent)
{
    uint32_t counts[6] = {0}, weights[6] = {0}, total = 0;
    struct pools p;
    uint64_t began;

    init_weighted(&p, count);
    p.pool.settings.hash_table_size = 1000003;
    pools_open(&p);
    for (size_t i = 0; i < count; i++)
        pools_set_up(&p, i, i % nth == 0);
    pools_publish(&p);
    for (size_t i = 0; i < count; i += nth) {
        weights[p.backends[i].settings.weight] += p.backends[i].settings.weight;
        total += p.backends[i].settings.weight;
    }
    began = clock_now_ns();
    for (uint32_t i = 0; i < CLIENTS; i++) {
        uint32_t id = pick_id(&p, i);

        assert_int_equal(id % nth, 0);
        counts[p.backends[id].settings.weight]++;
    }
    assert_in_range(clock_now_ns() - began, 0, 2000000000);
    for (uint32_t weight = 1; weight <= 5; weight++) {
        uint32_t ideal = (uint32_t)((uint64_t)CLIENTS * weights[weight] / total);

        assert_in_range(counts[weight], ideal * (100 - tolerance_percent) / 100, ideal * (100 + tolerance_percent) / 100);
    }
    pools_close(&p);
}

static void test_most_down_is_cheap_and_fair(void **state)
{
    (void)state;
    assert_spread_with_few_up(2000, 9, 10);
    assert_spread_with_few_up(2000, 199, 10); /* most clients find no backend that is up in their first 64 entries */
}

static void test_balancers_agree_whatever_happened_before(void **state)
{
    (void)state;
    struct pools a, b;

    init_weighted(&a, MANY);
    pools_init(&b, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    for (size_t i = 0; i < MANY; i++) {
        b.backends[MANY - 1 - i].name = a.names[i];
        b.backends[MANY - 1 - i].settings.weight = a.backends[i].settings.weight;
    }
    pools_open(&a);
    pools_open(&b);
    for (size_t i = 0; i < MANY; i++) {
        pools_set_up(&a, i, i % 10 == 3);
        pools_publish(&a);
    }
    for (size_t i = 0; i < MANY; i++)
        pools_set_up(&b, MANY - 1 - i, i % 10 == 3);
    pools_publish(&b);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(pick_id(&a, i), MANY - 1 - pick_id(&b, i));
    pools_close(&a);
    pools_close(&b);
}

static void test_two_backends_stand_in_for_each_other(void **state)
{
    (void)state;
    struct pools p;

    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 2);
    pools_open(&p);
    for (uint32_t down = 0; down < 2; down++) {
        pools_set_up(&p, down, false);
        pools_set_up(&p, 1 - down, true);
        pools_publish(&p);
        for (uint32_t i = 0; i < 1000; i++)
            assert_int_equal(pick_id(&p, i), 1 - down);
    }
    pools_set_up(&p, 0, false);
    pools_publish(&p);
    assert_null(pools_pick(&p));
    pools_close(&p);
}

static void test_a_single_backend_gets_everyone_or_nobody(void **state)
{
    (void)state;
    struct pools p;

    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 1);
    pools_open(&p);
    assert_int_equal(pick_id(&p, 1), 0);
    pools_set_up(&p, 0, false);
    pools_publish(&p);
    assert_null(pools_pick(&p));
    pools_set_up(&p, 0, true);
    pools_publish(&p);
    assert_int_equal(pick_id(&p, 1), 0);
    pools_close(&p);
}

/* Three backends of weight 1, then three backups of weights 1, 2 and 3. */
static void test_backups_have_a_table_of_their_own(void **state)
{
    (void)state;
    static uint32_t first[CLIENTS], before[CLIENTS], after[CLIENTS];
    uint32_t counts[6] = {0};
    struct pools p;

    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 6);
    for (size_t i = 3; i < 6; i++)
        p.backends[i].settings = (struct backend_settings){.weight = (uint32_t)i - 2, .backup = true};
    pools_open(&p);
    pick_all(&p, first);
    for (size_t i = 0; i < 3; i++) {
        pools_set_up(&p, i, false);
        pools_publish(&p);
        pick_all(&p, before);
        for (uint32_t c = 0; c < CLIENTS; c++)
            assert_true(i < 2 ? before[c] < 3 : before[c] >= 3);
    }
    assert_ptr_equal(p.snapshot->maglev, p.snapshot->set->backups);
    for (uint32_t i = 0; i < CLIENTS; i++)
        counts[before[i]]++;
    for (uint32_t i = 3; i < 6; i++)
        assert_in_range(counts[i], CLIENTS * (i - 2) / 6 * 95 / 100, CLIENTS * (i - 2) / 6 * 105 / 100);
    pools_set_up(&p, 4, false);
    pools_publish(&p);
    pick_all(&p, after);
    for (uint32_t i = 0; i < CLIENTS; i++)
        assert_true(before[i] == 4 ? after[i] == 3 || after[i] == 5 : after[i] == before[i]);
    for (size_t i = 0; i < 3; i++)
        pools_set_up(&p, i, true);
    pools_publish(&p);
    pick_all(&p, after);
    assert_memory_equal(after, first, sizeof(first));
    pools_close(&p);
}

/* The table is built per configuration, and is rebuilt only when a setting that affects it changes. */
static void test_a_change_of_state_keeps_the_table(void **state)
{
    (void)state;
    struct pools p;
    const struct snapshot_set *set;

    init_weighted(&p, MANY);
    pools_open(&p);
    set = p.snapshot->set;
    pools_set_up(&p, 7, false);
    pools_publish(&p);
    assert_ptr_equal(p.snapshot->set, set);
    p.backends[8].settings.max_connections = 5;
    p.pool.settings.connect_timeout_ms = 99;
    pools_apply(&p);
    assert_ptr_equal(p.snapshot->set, set);
    assert_int_equal(p.snapshot->settings->connect_timeout_ms, 99);
    assert_false(is_up(&p, 7));
    pools_close(&p);
}

enum change { CHANGE_SEED, CHANGE_WEIGHT, CHANGE_KIND, CHANGE_SIZE, CHANGE_ORDER, CHANGE_COUNT, CHANGES };

static void change_pools(struct pools *p, enum change change)
{
    struct config_backend moved = p->backends[3];

    p->config.seed += change == CHANGE_SEED;
    p->backends[8].settings.weight += change == CHANGE_WEIGHT;
    p->backends[9].settings.backup = change == CHANGE_KIND;
    p->pool.settings.hash_table_size = change == CHANGE_SIZE ? 1009 : 65537;
    if (change == CHANGE_ORDER) {
        p->backends[3] = p->backends[90];
        p->backends[90] = moved;
    }
    p->pool.backend_count -= change == CHANGE_COUNT;
}

/* After each of these changes the table equals the one that a balancer started with the new configuration builds. */
static void test_a_change_of_the_configuration_renews_the_table(void **state)
{
    (void)state;
    for (enum change change = 0; change < CHANGES; change++) {
        struct pools a, b;

        init_weighted(&a, MANY);
        init_weighted(&b, MANY);
        pools_open(&a);
        change_pools(&a, change);
        pools_apply(&a);
        change_pools(&b, change);
        pools_open(&b);
        assert_int_equal(a.snapshot->maglev_count, b.snapshot->maglev_count);
        assert_memory_equal(a.snapshot->maglev, b.snapshot->maglev, b.snapshot->maglev_count * sizeof(uint32_t));
        assert_int_equal(a.snapshot->set->backups != NULL, change == CHANGE_KIND);
        pools_close(&a);
        pools_close(&b);
    }
}

static void test_another_way_to_balance_and_back(void **state)
{
    (void)state;
    struct pools p;
    uint32_t id;

    init_weighted(&p, MANY);
    pools_open(&p);
    id = pick_id(&p, 1);
    p.pool.settings.balance = CONFIG_BALANCE_LEAST_CONN;
    pools_apply(&p);
    assert_null(p.snapshot->set);
    assert_in_range(pick_id(&p, 1), 0, MANY - 1);
    p.pool.settings.balance = CONFIG_BALANCE_CONSISTENT_HASH;
    pools_apply(&p);
    assert_int_equal(pick_id(&p, 1), id);
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_key_moves_between_backends_that_stay_up),
        cmocka_unit_test(test_keys_of_a_down_backend_spread_by_weight),
        cmocka_unit_test(test_most_down_is_cheap_and_fair),
        cmocka_unit_test(test_balancers_agree_whatever_happened_before),
        cmocka_unit_test(test_two_backends_stand_in_for_each_other),
        cmocka_unit_test(test_a_single_backend_gets_everyone_or_nobody),
        cmocka_unit_test(test_backups_have_a_table_of_their_own),
        cmocka_unit_test(test_a_change_of_state_keeps_the_table),
        cmocka_unit_test(test_a_change_of_the_configuration_renews_the_table),
        cmocka_unit_test(test_another_way_to_balance_and_back),
    };
    return cmocka_run_group_tests_name("maglev states", tests, NULL, NULL);
}
