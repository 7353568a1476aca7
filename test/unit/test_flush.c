/* test/unit/test_flush.c: the bytes of open sessions are counted once, whenever they are counted. On a clock of the test; nothing is connected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pools.h"
#include "table/counters.h"
#include "worker/context.h"
#include "worker/flush.h"
#include "worker/session.h"

enum { SESSIONS = 600 };

static struct io io;
static struct worker worker = {.io = &io};
static struct session sessions[SESSIONS];

static void pass_ms(uint64_t ms)
{
    for (; ms > 0; ms--) {
        io.now_ns += 1000000;
        timer_wheel_advance(&worker.timers, io.now_ns / 1000000);
    }
}

static void open_sessions(struct pools *pools)
{
    static struct config_listener listener = {.name = "front"};

    pools_init(pools, CONFIG_BALANCE_LEAST_CONN, 1);
    pools->config.listeners = &listener;
    pools->config.listener_count = 1;
    pools_open(pools);
    worker.counters = counters_new(1);
    timer_wheel_init(&worker.timers, 0);
    list_init(&worker.walks);
    list_init(&worker.sessions);
    flush_init(&worker);
    worker.sessions_slab.used = SESSIONS;
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] = (struct session){.worker = &worker, .state = SESSION_RELAYING};
        sessions[i].lease = (struct lease){.listener = table_listener(pools->table, 0), .pool = table_pool(pools->table, 0), .backend = pools_backend(pools, 0)};
        sessions[i].directions[CLIENT].bytes = 10;
        list_append(&worker.sessions, &sessions[i].link);
    }
}

static void open_sessions_are_counted_in_slices_and_once(void **state)
{
    (void)state;
    struct pools pools;
    struct backend *backend;
    const struct counters *counters;

    open_sessions(&pools);
    backend = pools_backend(&pools, 0);
    counters = worker.counters;
    flush_begin(&worker);
    pass_ms(1);
    assert_int_equal(stats_read(&backend->stats.traffic.bytes[CLIENT]), 2560); /* a slice */
    assert_int_equal(counters_read(&counters->flushes), 0);
    pass_ms(10);
    assert_int_equal(counters_read(&counters->flushes), 1);
    assert_int_equal(stats_read(&backend->stats.traffic.bytes[CLIENT]), 10 * SESSIONS);
    sessions[7].directions[BACKEND].bytes = 5;
    sessions[8].state = SESSION_CLOSING; /* its bytes were counted when it began to close */
    sessions[8].directions[BACKEND].bytes = 5;
    flush_begin(&worker);
    pass_ms(10);
    assert_int_equal(counters_read(&counters->flushes), 2);
    assert_int_equal(stats_read(&backend->stats.traffic.bytes[CLIENT]), 10 * SESSIONS);
    assert_int_equal(stats_read(&backend->stats.traffic.bytes[BACKEND]), 5);
    assert_int_equal(stats_read(&table_listener(pools.table, 0)->stats.traffic.bytes[BACKEND]), 5);
    assert_int_equal(counters_read(&counters->bytes[BACKEND]), 5);
    counters_free(worker.counters);
    pools_close(&pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_sessions_are_counted_in_slices_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
