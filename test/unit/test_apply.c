/* test/unit/test_apply.c: how table_apply() changes the live objects: what is added, changed, retired and brought back, and when it is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "table/epoch.h"
#include "table/lease.h"
#include "table/table.h"

enum { READER = 0, BACKENDS = 4 };

static struct config_listener listeners[2];
static struct config_backend backends[2][BACKENDS];
static struct config_pool pools[2];
static struct config config;
static struct epoch *epoch;
static struct table *table;
static struct table_change change;
static struct limit process;

static struct addr address(uint16_t port)
{
    struct addr addr = { .length = sizeof(addr.in) };
    addr.in.sin_family = AF_INET;
    addr.in.sin_port = port;
    return addr;
}

/* Listeners l0 and l1 lead to pools p0 and p1, each with backends b0 to b3, which are up. */
static int setup(void **state)
{
    (void)state;
    static const char *const names[] = { "b0", "b1", "b2", "b3" };
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < BACKENDS; i++)
            backends[p][i] = (struct config_backend){ .name = names[i], .addr = address((uint16_t)(1 + i)), .settings.weight = 1 };
        pools[p] = (struct config_pool){
            .name = p == 0 ? "p0" : "p1", .backends = backends[p], .backend_count = BACKENDS,
            .settings = { .check = CONFIG_CHECK_HTTP, .check_initial_up = true, .check_path = "/", .check_method = "GET", .retries = 2 },
        };
        listeners[p] = (struct config_listener){ .name = p == 0 ? "l0" : "l1", .pool = p, .settings = { .backlog = 5, .congestion_control = "auto" } };
    }
    config = (struct config){ .seed = 1, .listeners = listeners, .listener_count = 2, .pools = pools, .pool_count = 2 };
    limit_init(&process, 100);
    epoch = epoch_new(1);
    table = epoch ? table_new(epoch, NULL) : NULL;
    return table ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    table_free(table);
    epoch_free(epoch);
    return 0;
}

static void apply(void)
{
    assert_int_equal(table_apply(table, &config, &change), 0);
}

static void assert_tally(struct table_tally tally, size_t added, size_t changed, size_t retired)
{
    assert_int_equal(tally.added, added);
    assert_int_equal(tally.changed, changed);
    assert_int_equal(tally.retired, retired);
}

/* Reclaims as often as needed: the first call condemns the backends, the second frees them and condemns their pool, and the third frees the pool. */
static void reclaim(void)
{
    for (int i = 0; i < 3; i++)
        table_reclaim(table);
}

static const struct snapshot_pool *published(size_t pool)
{
    return snapshot_find(table_load(table), table_pool(table, pool));
}

static struct lease take(size_t listener)
{
    struct lease lease = { 0 };
    assert_int_equal(lease_take(&lease, table_listener(table, listener), &process, 1), LEASE_TAKEN);
    return lease;
}

static void take_backend(struct lease *lease, struct backend *backend)
{
    assert_true(backend_reserve(backend));
    lease_take_backend(lease, backend);
}

static void test_the_whole_file_is_added(void **state)
{
    (void)state;
    apply();
    assert_tally(change.listeners, 2, 0, 0);
    assert_tally(change.pools, 2, 0, 0);
    assert_tally(change.backends, 8, 0, 0);
    assert_string_equal(table_listener(table, 1)->name, "l1");
    assert_ptr_equal(listener_pool(table_listener(table, 1)), table_pool(table, 1));
    assert_int_equal(listener_settings(table_listener(table, 0))->backlog, 5);
    assert_int_equal(pool_settings(table_pool(table, 0))->retries, 2);
    assert_ptr_not_equal(pool_settings(table_pool(table, 0))->check_path, pools[0].settings.check_path); /* the table has its own copy */
    assert_string_equal(pool_settings(table_pool(table, 0))->check_path, "/");
    assert_int_equal(published(0)->usable_count, BACKENDS);
}

static void test_the_same_file_again_changes_nothing(void **state)
{
    (void)state;
    apply();
    const struct snapshot *before = table_load(table);
    apply();
    assert_tally(change.listeners, 0, 0, 0);
    assert_tally(change.pools, 0, 0, 0);
    assert_tally(change.backends, 0, 0, 0);
    assert_ptr_equal(table_load(table), before);
}

static void test_a_retired_backend_stays_while_it_is_leased(void **state)
{
    (void)state;
    apply();
    struct backend *backend = table_backend(table, 0, 3);
    struct lease lease = take(0);
    take_backend(&lease, backend);
    pools[0].backend_count = 3;
    apply();
    assert_tally(change.backends, 0, 0, 1);
    assert_tally(change.pools, 0, 0, 0);
    assert_int_equal(published(0)->usable_count, 3);
    assert_int_equal(backend_standing(backend), BACKEND_DRAINING);
    reclaim();
    assert_int_equal(table_retired(table), 1);
    assert_string_equal(backend->name, "b3");

    epoch_online(epoch, READER);
    lease_give(&lease, LEASE_ALL);
    table_reclaim(table); /* the backend is condemned, */
    table_reclaim(table);
    assert_string_equal(backend->name, "b3"); /* but a worker that gave back its lease may read it until the end of the turn */
    assert_int_equal(table_retired(table), 1);
    epoch_offline(epoch, READER);
    table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
}

static void test_a_retired_backend_stays_while_it_is_referred_to(void **state)
{
    (void)state;
    apply();
    struct backend *backend = table_backend(table, 0, 3);
    backend_hold(backend);
    pools[0].backend_count = 3;
    apply();
    reclaim();
    assert_int_equal(table_retired(table), 1);
    backend_drop(backend);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_a_reader_of_the_old_snapshot_can_still_lease(void **state)
{
    (void)state;
    apply();
    epoch_online(epoch, READER);
    const struct snapshot_pool *old = published(0);
    pools[0].backend_count = 1;
    apply();
    reclaim();
    struct lease lease = take(0);
    take_backend(&lease, old->usable[2].backend);
    epoch_pass(epoch, READER);
    reclaim();
    assert_string_equal(lease.backend->name, "b2");
    lease_give(&lease, LEASE_ALL);
    epoch_offline(epoch, READER);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_a_backend_that_comes_back_in_use_is_the_same_one(void **state)
{
    (void)state;
    backends[0][3].settings.max_connections = 1;
    apply();
    struct backend *backend = table_backend(table, 0, 3);
    struct lease lease = take(0);
    take_backend(&lease, backend);
    table_set_state(table, backend, BACKEND_PROBE, BACKEND_PROBE_DOWN);
    pools[0].backend_count = 3;
    apply();
    reclaim();
    pools[0].backend_count = 4;
    backends[0][3].settings.weight = 7;
    apply();
    assert_tally(change.backends, 1, 0, 0);
    assert_ptr_equal(table_backend(table, 0, 3), backend);
    assert_int_equal(backend_standing(backend), BACKEND_USABLE); /* its state starts again as that of a new backend */
    assert_int_equal(backend_settings(backend)->weight, 7);
    assert_int_equal(published(0)->usable[3].weight, 7 * CAPACITY_WHOLE);
    assert_false(backend_reserve(backend)); /* its limit still counts the session from before */
    reclaim();
    assert_int_equal(table_retired(table), 0);
    lease_give(&lease, LEASE_ALL);
}

static void test_an_order_stays_until_the_configuration_says_something_else(void **state)
{
    (void)state;
    struct backend_settings *settings = &backends[0][3].settings;
    settings->state = CONFIG_BACKEND_DRAIN;
    apply();
    struct backend *backend = table_backend(table, 0, 3);
    assert_int_equal(backend_standing(backend), BACKEND_DRAINING);
    assert_int_equal(published(0)->usable_count, 3);
    table_set_state(table, backend, BACKEND_ADMIN, BACKEND_READY);
    settings->weight = 7;
    apply();
    assert_int_equal(backend_standing(backend), BACKEND_USABLE); /* the file still says drain, as before */
    settings->state = CONFIG_BACKEND_MAINTENANCE;
    apply();
    assert_int_equal(backend_standing(backend), BACKEND_DOWN);
    assert_int_equal(published(0)->usable_count, 3);
    settings->state = CONFIG_BACKEND_READY;
    apply();
    assert_int_equal(backend_standing(backend), BACKEND_USABLE);
    assert_int_equal(published(0)->usable_count, 4);
    reclaim();
}

static void test_a_backend_that_comes_back_is_in_the_state_of_the_configuration(void **state)
{
    (void)state;
    apply();
    struct backend *backend = table_backend(table, 0, 3);
    struct lease lease = take(0);
    take_backend(&lease, backend);
    table_set_state(table, backend, BACKEND_ADMIN, BACKEND_ADMIN_MAINTENANCE);
    pools[0].backend_count = 3;
    apply();
    pools[0].backend_count = 4;
    apply();
    assert_ptr_equal(table_backend(table, 0, 3), backend);
    assert_int_equal(backend_standing(backend), BACKEND_USABLE);
    lease_give(&lease, LEASE_ALL);
}

static void test_a_condemned_backend_does_not_come_back(void **state)
{
    (void)state;
    apply();
    epoch_online(epoch, READER);
    struct backend *backend = table_backend(table, 0, 3);
    pools[0].backend_count = 3;
    apply();
    epoch_pass(epoch, READER);
    table_reclaim(table); /* the backend is condemned, and not freed before the reader passes */
    pools[0].backend_count = 4;
    apply();
    assert_ptr_not_equal(table_backend(table, 0, 3), backend);
    assert_true(backend->condemned);
    epoch_offline(epoch, READER);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_another_address_is_another_backend(void **state)
{
    (void)state;
    apply();
    uint32_t id = table_backend(table, 0, 1)->id;
    backends[0][1].addr = address(77);
    apply();
    assert_tally(change.backends, 1, 0, 1);
    assert_true(addr_equal(&table_backend(table, 0, 1)->addr, &backends[0][1].addr));
    assert_int_not_equal(table_backend(table, 0, 1)->id, id);
    assert_ptr_equal(published(0)->usable[1].backend, table_backend(table, 0, 1));
}

static void test_settings_are_replaced_as_a_whole(void **state)
{
    (void)state;
    apply();
    epoch_online(epoch, READER);
    struct pool *pool = table_pool(table, 0);
    const struct pool_settings *old = pool_settings(pool);
    pools[0].settings.check_path = "/ready";
    pools[0].settings.retries = 9;
    backends[0][2].settings.max_connections = 3;
    listeners[0].settings.max_connections = 6;
    apply();
    assert_tally(change.listeners, 0, 1, 0);
    assert_tally(change.pools, 0, 1, 0);
    assert_tally(change.backends, 0, 1, 0);
    reclaim();
    assert_string_equal(old->check_path, "/"); /* a reader may still hold the old settings */
    assert_int_equal(pool_settings(pool)->retries, 9);
    assert_ptr_equal(published(0)->settings, pool_settings(pool));
    assert_int_equal(limit_max(&table_listener(table, 0)->connections), 6);
    for (int i = 0; i < 3; i++)
        assert_true(backend_reserve(table_backend(table, 0, 2)));
    assert_false(backend_reserve(table_backend(table, 0, 2)));
    for (int i = 0; i < 3; i++)
        backend_release(table_backend(table, 0, 2));
    epoch_offline(epoch, READER);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_another_kind_of_check_begins_anew(void **state)
{
    (void)state;
    apply();
    for (size_t i = 0; i < BACKENDS; i++)
        table_set_state(table, table_backend(table, 0, i), BACKEND_PROBE, BACKEND_PROBE_DOWN);
    assert_int_equal(table_publish(table), 0);
    assert_int_equal(published(0)->usable_count, 0);
    pools[0].settings.retries = 1;
    apply();
    assert_int_equal(published(0)->usable_count, 0); /* the known states are kept */
    pools[0].settings.check = CONFIG_CHECK_NONE;
    apply();
    assert_int_equal(published(0)->usable_count, BACKENDS);
    pools[0].settings.check = CONFIG_CHECK_TCP;
    pools[0].settings.check_initial_up = false;
    apply();
    assert_int_equal(published(0)->usable_count, 0);
}

static void test_order_and_seed_are_part_of_it(void **state)
{
    (void)state;
    apply();
    struct config_backend first = backends[0][0];
    backends[0][0] = backends[0][3];
    backends[0][3] = first;
    apply();
    assert_tally(change.backends, 0, 0, 0);
    assert_string_equal(published(0)->usable[0].backend->name, "b3");
    const struct snapshot_pool *other = published(1);
    config.seed = 2;
    apply();
    assert_int_equal(published(1)->hash_seed, 2);
    assert_ptr_not_equal(published(1), other);
}

static void test_a_listener_leads_to_another_pool(void **state)
{
    (void)state;
    apply();
    struct lease lease = take(0);
    struct pool *old = table_pool(table, 0);
    listeners[0].pool = 0;
    listeners[1].pool = 0;
    config.pools = &pools[1]; /* p0 is removed */
    config.pool_count = 1;
    apply();
    assert_tally(change.listeners, 0, 1, 0);
    assert_tally(change.pools, 0, 0, 1);
    assert_tally(change.backends, 0, 0, 4);
    assert_null(snapshot_find(table_load(table), old));
    reclaim();
    assert_ptr_equal(lease.pool, old); /* the session still uses it */
    lease_change_pool(&lease);
    assert_ptr_equal(lease.pool, table_pool(table, 0));
    assert_int_equal(pool_sessions(lease.pool), 1);
    lease_give(&lease, LEASE_ALL);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_a_pool_keeps_its_slot_until_it_is_freed(void **state)
{
    (void)state;
    apply();
    struct lease lease = take(0);
    struct pool *old = lease.pool;
    pools[0].name = "p2";
    apply();
    assert_tally(change.pools, 1, 0, 1);
    reclaim();
    assert_null(snapshot_find(table_load(table), old));
    assert_int_equal(table_pool(table, 0)->slot, 2);
    pools[0].name = "p0"; /* the pool comes back and still has its session */
    apply();
    assert_ptr_equal(table_pool(table, 0), old);
    assert_int_equal(published(0)->usable_count, BACKENDS);
    lease_give(&lease, LEASE_ALL);
    reclaim();
    pools[0].name = "p3";
    apply();
    assert_int_equal(table_pool(table, 0)->slot, 2);
}

static void test_a_listener_stays_while_it_is_used(void **state)
{
    (void)state;
    listeners[1].settings.max_connections = 2;
    apply();
    struct listener *listener = table_listener(table, 1);
    struct lease lease = take(1);
    listener_hold(listener);
    config.listener_count = 1;
    apply();
    assert_tally(change.listeners, 0, 0, 1);
    lease_give(&lease, LEASE_ALL);
    reclaim();
    assert_int_equal(table_retired(table), 1);
    config.listener_count = 2;
    apply();
    assert_tally(change.listeners, 1, 0, 0);
    assert_ptr_equal(table_listener(table, 1), listener);
    config.listener_count = 1;
    apply();
    listener_drop(listener);
    reclaim();
    assert_int_equal(table_retired(table), 0);
}

static void test_a_lease_takes_all_or_nothing(void **state)
{
    (void)state;
    listeners[0].settings.max_connections = 2;
    apply();
    limit_set_max(&process, 3);
    struct lease a = take(0), b = take(0), c = take(1), none = { 0 };
    assert_int_equal(lease_take(&none, table_listener(table, 0), &process, 1), LEASE_LISTENER_FULL);
    assert_int_equal(lease_take(&none, table_listener(table, 1), &process, 1), LEASE_PROCESS_FULL);
    assert_int_equal(limit_used(&table_listener(table, 1)->connections), 1);
    assert_int_equal(pool_sessions(table_pool(table, 1)), 1);
    take_backend(&a, table_backend(table, 0, 0));
    lease_give(&a, LEASE_BACKEND);
    assert_int_equal(backend_in_flight(table_backend(table, 0, 0)), 0);
    assert_int_equal(limit_used(&process), 3);
    lease_give(&a, LEASE_ALL);
    lease_give(&b, LEASE_ALL);
    lease_give(&c, LEASE_ALL);
    assert_int_equal(limit_used(&process), 0);
    assert_int_equal(limit_used(&table_listener(table, 0)->connections), 0);
    assert_int_equal(pool_sessions(table_pool(table, 0)), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_whole_file_is_added),
        CASE(test_the_same_file_again_changes_nothing),
        CASE(test_a_retired_backend_stays_while_it_is_leased),
        CASE(test_a_retired_backend_stays_while_it_is_referred_to),
        CASE(test_a_reader_of_the_old_snapshot_can_still_lease),
        CASE(test_a_backend_that_comes_back_in_use_is_the_same_one),
        CASE(test_a_condemned_backend_does_not_come_back),
        CASE(test_an_order_stays_until_the_configuration_says_something_else),
        CASE(test_a_backend_that_comes_back_is_in_the_state_of_the_configuration),
        CASE(test_another_address_is_another_backend),
        CASE(test_settings_are_replaced_as_a_whole),
        CASE(test_another_kind_of_check_begins_anew),
        CASE(test_order_and_seed_are_part_of_it),
        CASE(test_a_listener_leads_to_another_pool),
        CASE(test_a_pool_keeps_its_slot_until_it_is_freed),
        CASE(test_a_listener_stays_while_it_is_used),
        CASE(test_a_lease_takes_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
