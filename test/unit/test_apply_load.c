/* test/unit/test_apply_load.c: the live objects change at random, hundreds of times, while threads take and give back leases as workers do. No session loses
 * its backend, no limit is exceeded, and all memory is freed at the end. Meant for ThreadSanitizer and AddressSanitizer too. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "config/config.h"
#include "select/selector.h"
#include "table/epoch.h"
#include "table/lease.h"
#include "table/table.h"

enum { WORKERS = 3, SESSIONS = 24, LISTENERS = 3, POOLS = 4, BACKENDS = 12, LIMIT = 6, PROCESS_LIMIT = 60, CHANGES_MIN = 800, CHANGES_MAX = 1000000, LEASES_MIN = 3000 };

/* Sessions of each server of the test. A server is a pool and a port. Its limit must hold however often it is removed and comes back. */
static _Atomic uint32_t sessions_of[POOLS][BACKENDS];
static _Atomic bool stop;

static char names[BACKENDS][8];
static struct config_listener listeners[LISTENERS];
static struct config_backend backends[POOLS][BACKENDS];
static struct config_pool pools[POOLS];
static struct config config;
static struct epoch *epoch;
static struct table *table;
static struct limit process;

struct worker {
    unsigned number;
    uint64_t random;
    struct listener *listeners[LISTENERS]; /* the worker holds a reference to each, as acceptors do */
    struct lease leases[SESSIONS];
    _Atomic unsigned leased, moved, unserved;
    const char *_Atomic wrong;
};

static struct addr address(uint32_t ip, uint16_t port)
{
    struct addr addr = { .length = sizeof(addr.in) };
    addr.in.sin_family = AF_INET;
    addr.in.sin_addr.s_addr = ip;
    addr.in.sin_port = port;
    return addr;
}

static _Atomic uint32_t *server_of(const struct backend *backend)
{
    return &sessions_of[backend->addr.in.sin_addr.s_addr][backend->addr.in.sin_port];
}

/* ---- the workers ---- */

static void end_session(struct lease *lease)
{
    if (lease->backend)
        (*server_of(lease->backend))--;
    lease_give(lease, LEASE_ALL);
}

/* Finds the pool as worker/connect.c does: in the snapshot of the turn, in the newest snapshot, or by the listener's present pool. */
static const struct snapshot_pool *find_pool(struct worker *worker, const struct snapshot **snapshot, struct lease *lease)
{
    const struct snapshot_pool *found = snapshot_find(*snapshot, lease->pool);
    if (found)
        return found;
    *snapshot = table_load(table);
    found = snapshot_find(*snapshot, lease->pool);
    if (found)
        return found;
    lease_change_pool(lease);
    worker->moved++;
    return snapshot_find(*snapshot, lease->pool);
}

static void begin_session(struct worker *worker, const struct snapshot **snapshot, struct lease *lease)
{
    struct addr client = address(worker->random & 0xffff, 7);
    struct select_request request = { .client = &client, .random = &worker->random };
    if (lease_take(lease, worker->listeners[random_below(&worker->random, LISTENERS)], &process, 1) != LEASE_TAKEN)
        return;
    if (limit_used(&process) > PROCESS_LIMIT)
        worker->wrong = "the process is above its limit";
    if (random_below(&worker->random, 4) == 0)
        sched_yield(); /* a pause before the backend is selected, as when a client is handed to another worker */
    const struct snapshot_pool *pool = find_pool(worker, snapshot, lease);
    if (!pool) {
        worker->wrong = "no pool where the listener leads";
        lease_give(lease, LEASE_ALL);
        return;
    }
    struct backend *backend = selector_pick(pool, &request);
    if (!backend) {
        worker->unserved++;
        lease_give(lease, LEASE_ALL);
        return;
    }
    lease_take_backend(lease, backend);
    worker->leased++;
    if (++*server_of(backend) > LIMIT)
        worker->wrong = "a server is above its limit";
}

static void check_session(struct worker *worker, const struct lease *lease)
{
    const struct backend *backend = lease->backend;
    if (backend->condemned)
        worker->wrong = "a leased backend is condemned";
    if (backend->pool != lease->pool || strcmp(backend->name, names[backend->addr.in.sin_port]) != 0)
        worker->wrong = "a leased backend is not what it was";
    if (pool_settings(lease->pool)->retries > 5 || strcmp(pool_settings(lease->pool)->check_path, "/path") != 0)
        worker->wrong = "settings are not what they were";
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    while (!stop) {
        epoch_online(epoch, worker->number);
        const struct snapshot *snapshot = table_load(table);
        for (int i = 0; i < 8; i++) {
            struct lease *lease = &worker->leases[random_below(&worker->random, SESSIONS)];
            if (!lease->listener)
                begin_session(worker, &snapshot, lease);
            else if (random_below(&worker->random, 2) == 0)
                end_session(lease);
            else
                check_session(worker, lease);
        }
        epoch_offline(epoch, worker->number);
        if (random_below(&worker->random, 8) == 0)
            sched_yield();
    }
    for (int i = 0; i < SESSIONS; i++)
        if (worker->leases[i].listener)
            end_session(&worker->leases[i]);
    for (int i = 0; i < LISTENERS; i++)
        listener_drop(worker->listeners[i]);
    return NULL;
}

/* ---- the publisher ---- */

static void draw_backends(size_t p, uint64_t *random)
{
    size_t count = 0;
    for (size_t i = 0; i < BACKENDS; i++) {
        if (random_below(random, 3) == 0 && !(i + 1 == BACKENDS && count == 0))
            continue;
        backends[p][count++] = (struct config_backend){
            .name = names[i], .addr = address((uint32_t)p, (uint16_t)i),
            .settings = { .weight = 1 + random_below(random, 3), .max_connections = 1 + random_below(random, LIMIT), .backup = random_below(random, 5) == 0 },
        };
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, (uint32_t)i);
        struct config_backend swapped = backends[p][i - 1];
        backends[p][i - 1] = backends[p][other];
        backends[p][other] = swapped;
    }
    pools[p].backend_count = count;
}

/* Draws a configuration: some of the pools, each with some of its backends in random order, and listeners that lead to any of these pools. */
static void draw_config(uint64_t *random)
{
    static const char *const pool_names[POOLS] = { "p0", "p1", "p2", "p3" };
    static const char *const listener_names[LISTENERS] = { "l0", "l1", "l2" };
    size_t count = 0;
    for (size_t p = 0; p < POOLS; p++) {
        if (random_below(random, 4) == 0 && !(p + 1 == POOLS && count == 0))
            continue;
        draw_backends(p, random);
        pools[p].settings = (struct pool_settings){
            .balance = (enum config_balance)random_below(random, 4), .hash_prefix_v4 = 32, .hash_prefix_v6 = 128, .hash_table_size = 101,
            .check = random_below(random, 3) == 0 ? CONFIG_CHECK_NONE : CONFIG_CHECK_HTTP, .check_initial_up = random_below(random, 8) > 0,
            .check_path = "/path", .retries = random_below(random, 6),
        };
        pools[p].name = pool_names[p];
        pools[p].backends = backends[p];
        static struct config_pool chosen[POOLS];
        chosen[count++] = pools[p];
        config.pools = chosen;
    }
    config.pool_count = count;
    for (size_t i = 0; i < LISTENERS; i++)
        listeners[i] = (struct config_listener){
            .name = listener_names[i], .pool = random_below(random, (uint32_t)count),
            .settings = { .max_connections = random_below(random, 3) == 0 ? 0 : 1 + random_below(random, 30) },
        };
    config.listeners = listeners;
    config.listener_count = LISTENERS;
    config.seed = 1 + random_below(random, 2);
}

static int flip_states(uint64_t *random)
{
    for (size_t p = 0; p < table_pool_count(table); p++) {
        struct pool *pool = table_pool(table, p);
        struct backend *backend = pool->backends[random_below(random, (uint32_t)pool->backend_count)];
        table_set_state(table, backend, (enum backend_source)random_below(random, BACKEND_DISCOVERY), random_below(random, 2));
    }
    return table_publish(table);
}

static bool all_have_leased(struct worker *workers)
{
    for (int i = 0; i < WORKERS; i++)
        if (workers[i].leased < LEASES_MIN)
            return false;
    return true;
}

static void test_objects_change_under_load(void **state)
{
    (void)state;
    static struct worker workers[WORKERS];
    struct table_change change, total = { 0 };
    pthread_t threads[WORKERS];
    uint64_t random = 20;
    unsigned changes = 0;
    int error = 0;

    for (int i = 0; i < BACKENDS; i++)
        (void)snprintf(names[i], sizeof(names[i]), "b%d", i);
    limit_init(&process, PROCESS_LIMIT);
    epoch = epoch_new(WORKERS);
    assert_non_null(epoch);
    table = table_new(epoch, &selector_prepare);
    assert_non_null(table);
    draw_config(&random);
    assert_int_equal(table_apply(table, &config, NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){ .number = i, .random = 7 + i };
        for (size_t k = 0; k < LISTENERS; k++) {
            workers[i].listeners[k] = table_listener(table, k);
            listener_hold(workers[i].listeners[k]);
        }
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (; !error && changes < CHANGES_MAX && (changes < CHANGES_MIN || !all_have_leased(workers)); changes++) {
        draw_config(&random);
        error = table_apply(table, &config, &change);
        total.pools.added += change.pools.added;
        total.pools.retired += change.pools.retired;
        total.backends.added += change.backends.added;
        total.backends.changed += change.backends.changed;
        total.backends.retired += change.backends.retired;
        for (int i = 0; !error && i < 3; i++) {
            error = flip_states(&random);
            sched_yield();
        }
    }
    stop = true;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);

    assert_int_equal(error, 0);
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].wrong)
            fail_msg("worker %d: %s", i, workers[i].wrong);
        assert_true(workers[i].leased >= LEASES_MIN);
    }
    assert_true(total.pools.added > 100 && total.pools.retired > 100);
    assert_true(total.backends.added > 1000 && total.backends.retired > 1000 && total.backends.changed > 1000);
    for (int i = 0; i < 3; i++)
        table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
    assert_int_equal(limit_used(&process), 0);
    table_free(table);
    epoch_free(epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_objects_change_under_load) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
