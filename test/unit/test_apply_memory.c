/* test/unit/test_apply_memory.c: if memory runs out at any moment of table_apply(), the live objects stay as they were, or only the publication is deferred. No
 * memory leaks. Skipped with the sanitizers, which have their own allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "scarce_memory.h"
#include "select/selector.h"
#include "table/epoch.h"
#include "table/table.h"

enum { BACKENDS = 40 };

static struct config_backend backends[3][BACKENDS];
static struct config_pool pools[3];
static struct config_listener listeners[2];

/* Makes a configuration with two listeners and two pools: p0 and p1 if `first` is 0, p1 and p2 if it is 1. */
static struct config make_config(size_t first, uint32_t weight)
{
    static const char *const pool_names[] = { "p0", "p1", "p2" };
    static char names[BACKENDS][8];
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < BACKENDS; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "b%zu", i);
            backends[p][i] = (struct config_backend){ .name = names[i], .settings.weight = weight };
            backends[p][i].addr.length = sizeof(backends[p][i].addr.in);
            backends[p][i].addr.in.sin_family = AF_INET;
            backends[p][i].addr.in.sin_port = (in_port_t)(1 + i + (p == 1 ? first : 0));
        }
        pools[p] = (struct config_pool){
            .name = pool_names[p], .backends = backends[p], .backend_count = BACKENDS,
            .settings = { .balance = (enum config_balance)p, .check_path = "/", .check_method = "GET", .retries = (uint32_t)first, .hash_table_size = 101 },
        };
    }
    listeners[0] = (struct config_listener){ .name = "l0", .pool = 0, .settings = { .backlog = 5 + (int)first, .congestion_control = "auto" } };
    listeners[1] = (struct config_listener){ .name = first == 0 ? "l1" : "l2", .pool = 1 };
    return (struct config){ .seed = 1, .pools = &pools[first], .pool_count = 2, .listeners = listeners, .listener_count = 2 };
}

static size_t usable(const struct table *table, const char *name)
{
    const struct snapshot *snapshot = table_load(table);
    for (size_t i = 0; i < snapshot->slot_count; i++)
        if (snapshot->pools[i] && strcmp(snapshot->pools[i]->pool->name, name) == 0)
            return snapshot->pools[i]->usable_count;
    return 0;
}

/* Changes one configuration into another one, with memory for `survives` allocations. Returns false if that was enough. */
static bool apply_with(long survives)
{
    long before = memory_blocks;
    struct table_change change;
    struct epoch *epoch = epoch_new(1);
    struct table *table = table_new(epoch, &selector_prepare);
    struct config config = make_config(0, 1);

    assert_non_null(table);
    assert_int_equal(table_apply(table, &config, NULL), 0);
    config = make_config(1, 2);
    memory_failed = false;
    memory_left = survives;
    int error = table_apply(table, &config, &change);
    memory_left = -1;
    bool failed = memory_failed;
    if (error) {
        assert_true(failed);
        assert_int_equal(error, -ENOMEM);
        assert_string_equal(table_pool(table, 0)->name, "p0");
        assert_string_equal(table_listener(table, 1)->name, "l1");
        assert_int_equal(pool_settings(table_pool(table, 1))->retries, 0);
        assert_int_equal(listener_settings(table_listener(table, 0))->backlog, 5);
        assert_int_equal(usable(table, "p0"), BACKENDS);
        assert_int_equal(usable(table, "p2"), 0);
        assert_int_equal(table_apply(table, &config, &change), 0); /* the second attempt has memory */
    }
    assert_int_equal(table_publish(table), 0);
    assert_int_equal(change.pools.added + change.pools.changed + change.pools.retired, 3);
    assert_int_equal(change.listeners.added + change.listeners.changed + change.listeners.retired, 3);
    assert_string_equal(table_pool(table, 1)->name, "p2");
    assert_int_equal(listener_settings(table_listener(table, 0))->backlog, 6);
    assert_int_equal(pool_settings(table_pool(table, 0))->retries, 1);
    assert_int_equal(backend_settings(table_backend(table, 0, 2))->weight, 2);
    assert_int_equal(usable(table, "p0"), 0);
    assert_int_equal(usable(table, "p1"), BACKENDS);
    assert_int_equal(usable(table, "p2"), BACKENDS);
    for (int i = 0; i < 3; i++)
        table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
    table_free(table);
    epoch_free(epoch);
    assert_int_equal(memory_blocks, before);
    return failed;
}

static void test_memory_runs_out_at_any_moment(void **state)
{
    (void)state;
#ifndef MEMORY_IS_SCARCE
    skip();
#endif
    (void)apply_with(-1); /* the first run allocates what the C library never frees */
    for (int i = 0; i < 2; i++) {
        long survives = 0;
        memory_recovers = i == 1;
        while (apply_with(survives))
            survives++;
        assert_true(survives > 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory_runs_out_at_any_moment) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
