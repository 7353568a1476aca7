/* test_flow_table: worker/flow_table: random operations against a simple model, long chains, and keys that differ in one field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "worker/flow_table.h"

enum { KEYS = 500, STEPS = 200000 };

static const uint64_t secret[2] = {11, 22};

/* A key among few, so that operations meet the same ones again. */
static struct flow_key key_of(uint32_t number)
{
    struct flow_key key = {.family = AF_INET, .client_port = (uint16_t)(1 + number % 7), .socket = (const void *)(uintptr_t)64};

    memcpy(key.client, &number, sizeof(number));
    return key;
}

/* Random operations: `max` chooses the number of chains. */
static void compare_with_model(size_t max)
{
    static struct flow_entry entries[KEYS];
    static bool there[KEYS];
    struct flow_table table;
    uint64_t random = max;
    size_t count = 0;

    memset(there, 0, sizeof(there));
    assert_int_equal(flow_table_init(&table, max, secret), 0);
    for (int step = 0; step < STEPS; step++) {
        uint64_t chance = random_next(&random);
        uint32_t number = (uint32_t)(chance % KEYS);
        struct flow_key key = key_of(number);

        assert_ptr_equal(flow_table_find(&table, &key), there[number] ? &entries[number] : NULL);
        if (chance >> 63) {
            if (!there[number]) {
                entries[number] = (struct flow_entry){.key = key};
                flow_table_add(&table, &entries[number]);
                there[number] = true;
                count++;
            }
        } else if (there[number]) {
            flow_table_remove(&table, &entries[number]);
            there[number] = false;
            count--;
        }
        assert_int_equal(table.count, count);
    }
    assert_true(count > KEYS / 4);
    for (uint32_t number = 0; number < KEYS; number++)
        if (there[number])
            flow_table_remove(&table, &entries[number]);
    assert_int_equal(table.count, 0);
    flow_table_deinit(&table);
    flow_table_deinit(&table);
}

static void random_operations_match_a_model(void **state)
{
    (void)state;
    compare_with_model(10000);
    compare_with_model(64);
}

static void long_chains_keep_all_entries(void **state)
{
    (void)state;
    compare_with_model(0); /* the fewest chains: about eight entries in each */
}

static void size_follows_the_maximum(void **state)
{
    struct flow_table table;
    (void)state;

    assert_int_equal(flow_table_init(&table, 1000, secret), 0);
    assert_true(table.chain_count >= 1000 && table.chain_count < 2000);
    assert_int_equal(table.chain_count & (table.chain_count - 1), 0);
    flow_table_deinit(&table);
    flow_table_deinit(&(struct flow_table){0});
}

/* Entries whose keys differ in one field are different, also where that field is not hashed. */
static void every_field_of_a_key_counts(void **state)
{
    struct flow_entry entries[10];
    struct flow_table table;
    (void)state;

    for (int i = 0; i < 10; i++)
        entries[i] = (struct flow_entry){.key = key_of(1)};
    entries[1].key.client[15] = 1;
    entries[2].key.client_scope = 1;
    entries[3].key.client_port++;
    entries[4].key.family = AF_INET6;
    entries[5].key.backend = (const void *)(uintptr_t)64;
    entries[6].key.socket = (const void *)(uintptr_t)128;
    entries[7].key.local[0] = 1;
    entries[8].key.local[15] = 1;
    entries[9].key.local_interface = 1;
    assert_int_equal(flow_table_init(&table, 64, secret), 0);
    for (int i = 0; i < 10; i++) {
        assert_null(flow_table_find(&table, &entries[i].key));
        flow_table_add(&table, &entries[i]);
    }
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(flow_table_find(&table, &entries[i].key), &entries[i]);
    for (int i = 9; i >= 0; i--) {
        flow_table_remove(&table, &entries[i]);
        assert_null(flow_table_find(&table, &entries[i].key));
        if (i > 0)
            assert_ptr_equal(flow_table_find(&table, &entries[0].key), &entries[0]);
    }
    flow_table_deinit(&table);
}

/* Clients that differ only in their ports spread over the chains: none of them gets long. */
static void ports_of_one_client_spread_over_the_chains(void **state)
{
    static struct flow_entry entries[16384];
    struct flow_table table;
    size_t longest = 0;
    (void)state;

    assert_int_equal(flow_table_init(&table, 16384, secret), 0);
    for (uint32_t i = 0; i < 16384; i++) {
        entries[i] = (struct flow_entry){.key = key_of(1)};
        entries[i].key.client_port = (uint16_t)(i + 1);
        flow_table_add(&table, &entries[i]);
    }
    for (size_t i = 0; i < table.chain_count; i++) {
        size_t length = 0;

        for (struct flow_entry *entry = table.chains[i]; entry; entry = entry->next)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_true(longest <= 12); /* one on average; the longest of as many random ones is about 7 */
    flow_table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_a_model),
        cmocka_unit_test(long_chains_keep_all_entries),
        cmocka_unit_test(size_follows_the_maximum),
        cmocka_unit_test(every_field_of_a_key_counts),
        cmocka_unit_test(ports_of_one_client_spread_over_the_chains),
    };

    return cmocka_run_group_tests_name("flow_table", tests, NULL, NULL);
}
