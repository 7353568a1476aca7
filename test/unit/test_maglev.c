/* test/unit/test_maglev.c: consistent hashing: spread, disruption, agreement between balancers, which parts of the
 * client's address count, next choices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "pools.h"

#define MANY 100

/* The name of the backend at each entry, for comparing tables of different pools. */
static const char *entry_name(const struct snapshot_pool *pool, uint32_t entry)
{
    return pool->pool->backends[pool->maglev[entry]]->name;
}

static void open_many(struct pools *p, uint64_t seed)
{
    pools_init(p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    p->config.seed = seed;
    pools_open(p);
}

/* The name of the backend that gets this client, or NULL; the slot is released again. */
static const char *pick_name(struct pools *p, const char *ip, uint16_t port)
{
    p->client = pools_addr(ip, port);
    struct backend *backend = pools_pick(p);
    if (!backend)
        return NULL;
    backend_release(backend);
    return backend->name;
}

static void test_spread_over_100_backends(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct pools p;
        open_many(&p, seed);
        uint32_t counts[MANY] = { 0 };
        assert_int_equal(p.snapshot->maglev_count, 65537);
        for (uint32_t i = 0; i < 65537; i++) {
            assert_in_range(p.snapshot->maglev[i], 0, MANY - 1);
            counts[p.snapshot->maglev[i]]++;
        }
        for (int i = 0; i < MANY; i++)
            assert_in_range(counts[i] * MANY * 100, 0, 65537 * 105); /* 1.05 times the mean */
        pools_close(&p);
    }
}

/* 200000 clients are spread evenly too; the range allows five standard deviations and the table's own unevenness. */
static void test_clients_spread(void **state)
{
    (void)state;
    struct pools p;
    open_many(&p, 1);
    unsigned counts[MANY] = { 0 };
    for (uint32_t i = 0; i < 200000; i++) {
        p.client.in.sin_addr.s_addr = htonl(0x0a000000 + i);
        struct backend *backend = pools_pick(&p);
        counts[backend->id]++;
        backend_release(backend);
    }
    for (int i = 0; i < MANY; i++)
        assert_in_range(counts[i], 1760, 2240);
    pools_close(&p);
}

/* Removes a backend from the configuration. */
static void remove_backend(struct pools *p, size_t gone)
{
    p->pool.backend_count--;
    memmove(&p->backends[gone], &p->backends[gone + 1], (p->pool.backend_count - gone) * sizeof(p->backends[0]));
    pools_apply(p);
}

static void test_few_other_keys_move_when_one_of_100_leaves(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        for (size_t gone = 0; gone < MANY; gone += 11) {
            struct pools before, after;
            open_many(&before, seed);
            open_many(&after, seed);
            struct config_backend removed = after.backends[gone];
            remove_backend(&after, gone);
            uint32_t others = 0, moved = 0;
            for (uint32_t i = 0; i < 65537; i++) {
                const char *name = entry_name(before.snapshot, i);
                assert_string_not_equal(entry_name(after.snapshot, i), before.names[gone]);
                if (strcmp(name, before.names[gone]) == 0)
                    continue;
                others++;
                moved += strcmp(name, entry_name(after.snapshot, i)) != 0;
            }
            assert_in_range(moved * 100, 0, others * 3);
            /* When the backend is back, even at the end of the file, the table is the same as before. */
            after.backends[after.pool.backend_count++] = removed;
            pools_apply(&after);
            for (uint32_t i = 0; i < 65537; i++)
                assert_string_equal(entry_name(after.snapshot, i), entry_name(before.snapshot, i));
            pools_close(&before);
            pools_close(&after);
        }
    }
}

static void test_few_other_keys_move_when_the_heaviest_leaves(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    for (size_t i = 0; i < MANY; i++)
        p.backends[i].settings.weight = (uint32_t)(1 + i % 3);
    p.backends[50].settings.weight = 7;
    pools_open(&p);
    const char **before = calloc(65537, sizeof(*before));
    for (uint32_t i = 0; i < 65537; i++)
        before[i] = p.names[p.snapshot->maglev[i]];
    remove_backend(&p, 50);
    uint32_t others = 0, moved = 0;
    for (uint32_t i = 0; i < 65537; i++) {
        if (strcmp(before[i], "b50") == 0)
            continue;
        others++;
        moved += strcmp(before[i], entry_name(p.snapshot, i)) != 0;
    }
    assert_in_range(moved * 100, 0, others * 7); /* a weight of 7 out of 205 leaves */
    free(before);
    pools_close(&p);
}

static void test_balancers_agree_whatever_the_order_in_the_file(void **state)
{
    (void)state;
    struct pools a, b;
    pools_init(&a, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    pools_init(&b, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    for (size_t i = 0; i < MANY; i++) {
        size_t other = (i * 37 + 11) % MANY; /* 37 and 100 have no common divisor */
        a.backends[i].settings.weight = (uint32_t)(1 + i % 5);
        b.backends[other].name = a.names[i];
        b.backends[other].settings.weight = a.backends[i].settings.weight;
    }
    pools_open(&a);
    pools_open(&b);
    for (uint32_t i = 0; i < 65537; i++)
        assert_string_equal(entry_name(a.snapshot, i), entry_name(b.snapshot, i));
    assert_string_equal(pick_name(&a, "10.1.2.3", 1), pick_name(&b, "10.1.2.3", 1));
    pools_close(&a);
    pools_close(&b);
}

static void test_addresses_do_not_matter(void **state)
{
    (void)state;
    struct pools a, b;
    open_many(&a, 9);
    pools_init(&b, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    b.config.seed = 9;
    for (size_t i = 0; i < MANY; i++)
        b.backends[i].addr = pools_addr("10.9.9.9", (uint16_t)(9000 - i));
    pools_open(&b);
    assert_memory_equal(a.snapshot->maglev, b.snapshot->maglev, 65537 * sizeof(uint32_t));
    pools_close(&a);
    pools_close(&b);
}

/* A balancer built later must agree with one that runs today: these values may never change. */
static void test_table_is_the_same_on_every_machine_and_in_every_version(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 3);
    p.backends[1].settings.weight = 2;
    p.pool.settings.hash_table_size = 13;
    pools_open(&p);
    static const uint32_t table[13] = { 2, 2, 1, 0, 1, 2, 0, 1, 1, 1, 0, 1, 1 };
    for (uint32_t i = 0; i < 13; i++)
        assert_int_equal(p.snapshot->maglev[i], table[i]);
    assert_string_equal(pick_name(&p, "192.0.2.1", 1), "b1");
    assert_string_equal(pick_name(&p, "2001:db8::1", 1), "b2");
    pools_close(&p);
}

static void test_other_seeds_give_other_tables(void **state)
{
    (void)state;
    struct pools a, b;
    open_many(&a, 1);
    open_many(&b, 2);
    uint32_t same = 0;
    for (uint32_t i = 0; i < 65537; i++)
        same += a.snapshot->maglev[i] == b.snapshot->maglev[i];
    assert_in_range(same, 0, 65537 / 50); /* by chance, one entry in a hundred is the same */
    pools_close(&a);
    pools_close(&b);
}

static void test_weights_are_respected(void **state)
{
    (void)state;
    static const uint32_t weights[] = { 1, 2, 3, 4, 10, 20, 60, 100, 256, 1 };
    enum { COUNT = sizeof(weights) / sizeof(weights[0]) };
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, COUNT);
    uint32_t total = 0, counts[COUNT] = { 0 };
    for (size_t i = 0; i < COUNT; i++)
        total += p.backends[i].settings.weight = weights[i];
    pools_open(&p);
    for (uint32_t i = 0; i < 65537; i++)
        counts[p.snapshot->maglev[i]]++;
    for (size_t i = 0; i < COUNT; i++) {
        double ideal = 65537.0 * weights[i] / total;
        assert_true(counts[i] > ideal * 0.98 && counts[i] < ideal * 1.02);
    }
    pools_close(&p);
}

static void test_one_client_stays_with_one_backend(void **state)
{
    (void)state;
    struct pools p;
    open_many(&p, 1);
    const char *name = pick_name(&p, "10.0.0.1", 1000);
    for (uint16_t port = 1; port < 100; port++)
        assert_string_equal(pick_name(&p, "10.0.0.1", port), name);
    pools_close(&p);
}

/* The number of different backends that the clients 10.0.0.0 to 10.0.0.255 get. */
static unsigned backends_of_a_24(struct pools *p)
{
    bool seen[MANY] = { false };
    unsigned different = 0;
    for (unsigned host = 0; host < 256; host++) {
        char ip[32];
        snprintf(ip, sizeof(ip), "10.0.0.%u", host);
        p->client = pools_addr(ip, 1);
        struct backend *backend = pools_pick(p);
        different += !seen[backend->id];
        seen[backend->id] = true;
        backend_release(backend);
    }
    return different;
}

static void test_v4_prefix_groups_clients(void **state)
{
    (void)state;
    static const struct {
        uint8_t prefix;
        unsigned min, max;
    } cases[] = { { 32, 70, MANY }, { 30, 30, 64 }, { 25, 2, 2 }, { 24, 1, 1 }, { 8, 1, 1 }, { 0, 1, 1 } };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct pools p;
        pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
        p.pool.settings.hash_prefix_v4 = cases[c].prefix;
        pools_open(&p);
        assert_in_range(backends_of_a_24(&p), cases[c].min, cases[c].max);
        pools_close(&p);
    }
}

static void test_v6_prefix_groups_clients(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    p.pool.settings.hash_prefix_v6 = 61;
    pools_open(&p);
    const char *name = pick_name(&p, "2001:db8:0:0::1", 1);
    assert_string_equal(pick_name(&p, "2001:db8:0:0:ffff::9", 1), name);
    assert_string_equal(pick_name(&p, "2001:db8:0:7::1", 1), name);
    bool moved = false;
    for (int i = 8; i < 64; i += 8) {
        char ip[64];
        snprintf(ip, sizeof(ip), "2001:db8:0:%x::1", (unsigned)i);
        moved |= strcmp(pick_name(&p, ip, 1), name) != 0;
    }
    assert_true(moved);
    pools_close(&p);
}

static void test_mapped_v4_is_v4(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    p.pool.settings.hash_key = CONFIG_HASH_SOURCE_IP_PORT;
    p.pool.settings.hash_prefix_v4 = 24;
    p.pool.settings.hash_prefix_v6 = 64;
    pools_open(&p);
    for (unsigned i = 0; i < 50; i++) {
        char v4[32], mapped[48];
        snprintf(v4, sizeof(v4), "10.0.%u.1", i);
        snprintf(mapped, sizeof(mapped), "::ffff:10.0.%u.77", i);
        assert_string_equal(pick_name(&p, v4, (uint16_t)(i + 1)), pick_name(&p, mapped, (uint16_t)(i + 1)));
    }
    pools_close(&p);
}

static void test_port_counts_when_asked_for(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    p.pool.settings.hash_key = CONFIG_HASH_SOURCE_IP_PORT;
    pools_open(&p);
    const char *ips[] = { "10.0.0.1", "2001:db8::1" };
    for (int i = 0; i < 2; i++) {
        const char *name = pick_name(&p, ips[i], 1);
        assert_string_equal(pick_name(&p, ips[i], 1), name);
        unsigned others = 0;
        for (uint16_t port = 2; port < 102; port++)
            others += strcmp(pick_name(&p, ips[i], port), name) != 0;
        assert_in_range(others, 90, 100);
    }
    pools_close(&p);
}

static void test_unix_clients_are_one_client(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    p.pool.settings.hash_key = CONFIG_HASH_SOURCE_IP_PORT;
    pools_open(&p);
    p.client = (struct addr){ .length = sizeof(sa_family_t), .un = { .sun_family = AF_UNIX } };
    struct backend *first = pools_pick(&p);
    assert_non_null(first);
    strcpy(p.client.un.sun_path, "/some/where");
    p.client.length = sizeof(p.client.un);
    assert_ptr_equal(pools_pick(&p), first);
    pools_close(&p);
}

static bool tried(const struct select_request *request, uint32_t id)
{
    for (uint32_t i = 0; i < request->tried_count; i++)
        if (request->tried[i] == id)
            return true;
    return false;
}

static void test_next_choice_is_the_next_entry_drawn(void **state)
{
    (void)state;
    struct pools p;
    open_many(&p, 1);
    for (uint32_t i = 0; i < 500; i++) {
        unsigned char key[5] = { 4, 10, 0, (unsigned char)(i >> 8), (unsigned char)i };
        memcpy(&p.client.in.sin_addr, key + 1, 4);
        uint64_t place = hash_bytes(key, sizeof(key), p.config.seed, 3), draws = place;
        p.request.tried_count = 0;
        while (p.request.tried_count < 3) {
            struct backend *backend = pools_pick(&p);
            assert_string_equal(backend->name, entry_name(p.snapshot, (uint32_t)(place % 65537)));
            backend_release(backend);
            p.request.tried[p.request.tried_count++] = backend->id;
            while (tried(&p.request, p.snapshot->maglev[place % 65537])) /* a backend's position equals its id here */
                place = random_next(&draws);
        }
    }
    pools_close(&p);
}

static void test_balancers_agree_on_the_second_choice(void **state)
{
    (void)state;
    struct pools a, b;
    pools_init(&a, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    pools_init(&b, CONFIG_BALANCE_CONSISTENT_HASH, MANY);
    for (size_t i = 0; i < MANY; i++) {
        a.backends[i].settings.max_connections = b.backends[i].settings.max_connections = 1;
        b.backends[MANY - 1 - i].name = a.names[i];
    }
    pools_open(&a);
    pools_open(&b);
    /* Backends are full in pool a and already tried in pool b: the order of choices is the same to the last slot, well past the first 64 entries. */
    for (uint32_t i = 0; i < MANY; i++) {
        struct backend *first = pools_pick(&a), *second = pools_pick(&b);
        assert_non_null(first);
        assert_non_null(second);
        assert_string_equal(first->name, second->name);
        if (i < SELECT_TRIES_MAX) {
            backend_release(second);
            b.request.tried[b.request.tried_count++] = second->id;
        }
    }
    assert_null(pools_pick(&a));
    pools_close(&a);
    pools_close(&b);
}

static void test_a_table_smaller_than_the_pool_still_reaches_everyone(void **state)
{
    (void)state;
    struct pools p;
    pools_init(&p, CONFIG_BALANCE_CONSISTENT_HASH, 10);
    p.pool.settings.hash_table_size = 7;
    for (size_t i = 0; i < 10; i++)
        p.backends[i].settings.max_connections = 1;
    pools_open(&p);
    for (int i = 0; i < 10; i++)
        assert_non_null(pools_pick(&p));
    assert_null(pools_pick(&p));
    pools_close(&p);
}

/* When all but a few backends are full, a pick does not walk the table, and balancers with a different order in the file still agree. */
static void test_a_nearly_full_pool_is_cheap_and_agreed_on(void **state)
{
    (void)state;
    struct pools a, b;
    size_t count = 257;
    pools_init(&a, CONFIG_BALANCE_CONSISTENT_HASH, count);
    pools_init(&b, CONFIG_BALANCE_CONSISTENT_HASH, count);
    a.pool.settings.hash_table_size = b.pool.settings.hash_table_size = 1000003;
    for (size_t i = 0; i < count; i++) {
        b.backends[count - 1 - i].name = a.names[i];
        a.backends[i].settings.weight = b.backends[count - 1 - i].settings.weight = i < 4 ? 1 : 256; /* those of weight 1 have 15 entries each */
        a.backends[i].settings.max_connections = b.backends[count - 1 - i].settings.max_connections = i < 4 ? 0 : 1;
    }
    pools_open(&a);
    pools_open(&b);
    for (size_t i = 4; i < count; i++) {
        assert_true(backend_reserve(pools_backend(&a, i)));
        assert_true(backend_reserve(pools_backend(&b, count - 1 - i)));
    }
    uint32_t counts[4] = { 0 };
    uint64_t began = clock_now_ns();
    for (uint32_t i = 0; i < 4000; i++) {
        char ip[16];
        snprintf(ip, sizeof(ip), "10.1.%u.%u", i >> 8, i & 255);
        const char *name = pick_name(&a, ip, 1);
        assert_string_equal(name, pick_name(&b, ip, 1));
        counts[name[1] - '0']++;
    }
    assert_in_range(clock_now_ns() - began, 0, 1000000000);
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], 800, 1200);
    pools_close(&a);
    pools_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread_over_100_backends),
        cmocka_unit_test(test_clients_spread),
        cmocka_unit_test(test_few_other_keys_move_when_one_of_100_leaves),
        cmocka_unit_test(test_few_other_keys_move_when_the_heaviest_leaves),
        cmocka_unit_test(test_balancers_agree_whatever_the_order_in_the_file),
        cmocka_unit_test(test_addresses_do_not_matter),
        cmocka_unit_test(test_table_is_the_same_on_every_machine_and_in_every_version),
        cmocka_unit_test(test_other_seeds_give_other_tables),
        cmocka_unit_test(test_weights_are_respected),
        cmocka_unit_test(test_one_client_stays_with_one_backend),
        cmocka_unit_test(test_v4_prefix_groups_clients),
        cmocka_unit_test(test_v6_prefix_groups_clients),
        cmocka_unit_test(test_mapped_v4_is_v4),
        cmocka_unit_test(test_port_counts_when_asked_for),
        cmocka_unit_test(test_unix_clients_are_one_client),
        cmocka_unit_test(test_next_choice_is_the_next_entry_drawn),
        cmocka_unit_test(test_balancers_agree_on_the_second_choice),
        cmocka_unit_test(test_a_table_smaller_than_the_pool_still_reaches_everyone),
        cmocka_unit_test(test_a_nearly_full_pool_is_cheap_and_agreed_on),
    };
    return cmocka_run_group_tests_name("maglev", tests, NULL, NULL);
}
