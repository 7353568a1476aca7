/* test_lifecycle.c: whose sessions are closed, when, and what the log says about drains and maintenance. On a clock of the test; without threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/health.h"
#include "health/publisher.h"
#include "log/log.h"
#include "pools.h"

#define S UINT64_C(1000000000)

enum { WORKERS = 3 };

static struct pools p;
static struct publisher publisher;
static unsigned orders[WORKERS];
static uint64_t now_ns;
static char log_path[64];

static void evict(void *context, unsigned worker)
{
    assert_ptr_equal(context, orders);
    orders[worker]++;
}

static const struct health_workers workers = {.count = WORKERS, .evict = evict, .context = orders};

/* Two backends and a backup, none of which is probed. */
static int setup(void **state)
{
    const char *failed;
    struct log_options options = {.target = log_path, .level = LOG_INFO};
    int fd;

    (void)state;
    snprintf(log_path, sizeof(log_path), "/tmp/penstock-test-lifecycle-XXXXXX");
    fd = mkstemp(log_path);
    if (fd < 0 || close(fd) < 0 || log_start(&options, &failed) < 0)
        return -1;
    now_ns = 1000 * S;
    memset(orders, 0, sizeof(orders));
    pools_init(&p, CONFIG_BALANCE_ROUND_ROBIN, 3);
    p.backends[2].settings.backup = true;
    p.pool.settings.close_rate = 100;
    return 0;
}

static void set_drain_timeout(uint32_t timeout_ms)
{
    for (int i = 0; i < 3; i++)
        p.backends[i].settings.drain_timeout_ms = timeout_ms;
}

static void review(void)
{
    publisher_applied(&publisher, now_ns);
    publisher_run(&publisher, now_ns);
}

static void open_all(void)
{
    pools_open(&p);
    publisher_init(&publisher, p.table, &workers, now_ns);
    publisher_run(&publisher, now_ns);
}

/* Lets the publisher run whenever it wants to, for this time. */
static void pass(uint64_t duration_ns)
{
    uint64_t end_ns = now_ns + duration_ns;

    while (publisher_wake_ns(&publisher) <= end_ns) {
        now_ns = publisher_wake_ns(&publisher) > now_ns ? publisher_wake_ns(&publisher) : now_ns;
        publisher_run(&publisher, now_ns);
    }
    now_ns = end_ns;
    publisher_run(&publisher, now_ns);
}

static int teardown(void **state)
{
    (void)state;
    publisher_deinit(&publisher);
    pools_close(&p);
    log_stop();
    return unlink(log_path);
}

/* Checks the lines of the log, without their times. */
static void assert_logged(const char *wanted)
{
    char text[4096] = "", line[512];
    FILE *file;

    log_flush();
    file = fopen(log_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        const char *message = strstr(line, "pool p: ");

        assert_non_null(message);
        strncat(text, message + strlen("pool p: "), sizeof(text) - strlen(text) - 1);
    }
    fclose(file);
    assert_string_equal(text, wanted);
}

static void set(size_t backend, enum backend_source source, unsigned value)
{
    table_set_state(p.table, pools_backend(&p, backend), source, value);
    review();
}

static void take(size_t backend, int sessions)
{
    for (int i = 0; i < sessions; i++)
        assert_true(backend_reserve(pools_backend(&p, backend)));
}

static void assert_eviction(size_t backend, enum backend_eviction eviction)
{
    assert_int_equal(backend_eviction(pools_backend(&p, backend)), eviction);
}

static void without_a_timeout_a_drain_lasts_until_the_last_session_has_ended(void **state)
{
    (void)state;
    open_all();
    assert_true(publisher_wake_ns(&publisher) == UINT64_MAX);
    take(0, 2);
    set(0, BACKEND_ADMIN, BACKEND_ADMIN_DRAIN);
    pass(3600 * S);
    assert_eviction(0, EVICTION_NONE);
    assert_int_equal(orders[0], 0);
    backend_release(pools_backend(&p, 0));
    backend_release(pools_backend(&p, 0));
    pass(1 * S);
    assert_logged("backend b0 drains: 2 sessions are open, and may continue (drain_timeout = off); 2 of 3 usable\n"
                  "backend b0 has drained in 3600.5 s\n");
    assert_true(publisher_wake_ns(&publisher) == UINT64_MAX);
}

static void after_drain_timeout_the_rest_is_closed(void **state)
{
    struct backend *backend;

    (void)state;
    set_drain_timeout(30000);
    open_all();
    backend = pools_backend(&p, 0);
    take(0, 3);
    set(0, BACKEND_ADMIN, BACKEND_ADMIN_DRAIN);
    pass(30 * S - 1);
    assert_eviction(0, EVICTION_NONE);
    backend_release(backend);
    pass(1);
    assert_eviction(0, EVICTION_DRAINED);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(orders[i], 1);
    backend_note_evicted(backend);
    backend_release(backend);
    pass(2 * S);
    assert_int_equal(orders[2], 5); /* repeated, because a session is left */
    backend_note_evicted(backend);
    backend_release(backend);
    pass(10 * S);
    assert_int_equal(orders[2], 5);
    assert_logged("backend b0 drains: 3 sessions are open, and those left after 30s are closed; 2 of 3 usable\n"
                  "backend b0 has been draining for 30s (drain_timeout): closing its 2 sessions, at most 100 a second\n"
                  "backend b0 has drained in 32.5 s; 2 sessions were closed\n");
}

static void a_session_that_comes_too_late_is_closed_too(void **state)
{
    (void)state;
    set_drain_timeout(0);
    p.pool.settings.close_rate = 0;
    open_all();
    set(0, BACKEND_ADMIN, BACKEND_ADMIN_DRAIN);
    assert_eviction(0, EVICTION_DRAINED);
    assert_int_equal(orders[0], 0);
    take(0, 1);
    review();
    assert_int_equal(orders[0], 0); /* not published yet: that would be too soon after the last time */
    pass(S);
    assert_true(orders[0] > 0);
    assert_logged("backend b0 drains: 0 sessions are open; 2 of 3 usable\n"
                  "backend b0 has been draining for 0s (drain_timeout): closing its 1 session, as fast as possible\n");
}

static void what_is_ready_again_keeps_its_sessions(void **state)
{
    (void)state;
    set_drain_timeout(1000);
    open_all();
    take(0, 2);
    set(0, BACKEND_ADMIN, BACKEND_ADMIN_DRAIN);
    pass(S);
    assert_eviction(0, EVICTION_DRAINED);
    backend_note_evicted(pools_backend(&p, 0));
    backend_release(pools_backend(&p, 0));
    set(0, BACKEND_ADMIN, BACKEND_READY);
    pass(S);
    assert_eviction(0, EVICTION_NONE);
    assert_logged("backend b0 drains: 2 sessions are open, and those left after 1s are closed; 2 of 3 usable\n"
                  "backend b0 has been draining for 1s (drain_timeout): closing its 2 sessions, at most 100 a second\n"
                  "backend b0 is ready again; 3 of 3 usable\n"
                  "backend b0: 1 session was closed in 0.0 s; 1 may continue\n");
    assert_true(publisher_wake_ns(&publisher) == UINT64_MAX);
}

static void a_backend_that_has_left_stays_until_its_drain_is_logged(void **state)
{
    struct backend *backend;

    (void)state;
    set_drain_timeout(2000);
    open_all();
    backend = pools_backend(&p, 1);
    take(1, 1);
    p.pool.backend_count = 1; /* b2, which has no session, leaves without a word */
    pools_apply(&p);
    review();
    pass(2 * S);
    assert_int_equal(backend_eviction(backend), EVICTION_DRAINED);
    backend_note_evicted(backend);
    backend_release(backend);
    table_reclaim(p.table);
    table_reclaim(p.table);
    pass(S);
    pass(S);
    assert_int_equal(table_retired(p.table), 0);
    assert_logged("backend b1 drains, because it has left the configuration: 1 session is open, and those left after 2s are closed\n"
                  "backend b1 has been draining for 2s (drain_timeout): closing its 1 session, at most 100 a second\n"
                  "backend b1 has drained in 2.5 s; 1 session was closed\n");
}

static void on_down_closes_after_probes_agents_and_orders(void **state)
{
    static const struct {
        enum backend_source source;
        unsigned value;
    } rows[] = {{BACKEND_PROBE, BACKEND_PROBE_DOWN}, {BACKEND_PROBE, BACKEND_PROBE_TIMED_OUT}, {BACKEND_AGENT, BACKEND_AGENT_DOWN},
                {BACKEND_AGENT, BACKEND_AGENT_MAINTENANCE}, {BACKEND_ADMIN, BACKEND_ADMIN_MAINTENANCE}};

    (void)state;
    p.pool.settings.on_down = CONFIG_SESSIONS_CLOSE;
    open_all();
    take(0, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        now_ns += S;
        set(0, rows[i].source, rows[i].value);
        assert_eviction(0, EVICTION_DOWN);
        assert_int_equal(orders[0], i + 1);
        now_ns += S;
        set(0, rows[i].source, 0);
        assert_eviction(0, EVICTION_NONE);
    }
    now_ns += S;
    set(0, BACKEND_EJECTION, BACKEND_EJECTED);
    assert_eviction(0, EVICTION_NONE);
    now_ns += S;
    set(0, BACKEND_PROBE, BACKEND_PROBE_BUSY);
    assert_eviction(0, EVICTION_NONE);
    assert_int_equal(orders[0], sizeof(rows) / sizeof(rows[0]));
}

static void on_down_says_how_many_were_closed(void **state)
{
    (void)state;
    p.pool.settings.on_down = CONFIG_SESSIONS_CLOSE;
    open_all();
    take(0, 2);
    set(0, BACKEND_ADMIN, BACKEND_ADMIN_MAINTENANCE);
    backend_note_evicted(pools_backend(&p, 0));
    backend_note_evicted(pools_backend(&p, 0));
    backend_release(pools_backend(&p, 0));
    backend_release(pools_backend(&p, 0));
    pass(S);
    set(0, BACKEND_ADMIN, BACKEND_READY);
    assert_logged("backend b0 is in maintenance: 2 sessions are open; 2 of 3 usable\n"
                  "backend b0 is down or in maintenance, and on_down = close: closing its 2 sessions, at most 100 a second\n"
                  "backend b0: 2 sessions were closed in 0.5 s\n"
                  "backend b0 is ready again; 3 of 3 usable\n");
}

static void on_down_keeps_the_sessions_unless_told_otherwise(void **state)
{
    (void)state;
    open_all();
    take(0, 1);
    set(0, BACKEND_PROBE, BACKEND_PROBE_DOWN);
    pass(3600 * S);
    assert_eviction(0, EVICTION_NONE);
    assert_int_equal(orders[0], 0);
}

/* A backend that serves whatever its health must not get sessions that are closed at once. */
static void on_down_spares_backends_that_serve_anyway(void **state)
{
    (void)state;
    p.pool.settings.on_down = CONFIG_SESSIONS_CLOSE;
    open_all();
    for (size_t i = 0; i < 2; i++)
        set(i, BACKEND_PROBE, BACKEND_PROBE_DOWN);
    set(2, BACKEND_PROBE, BACKEND_PROBE_TIMED_OUT);
    assert_eviction(0, EVICTION_DOWN);
    assert_eviction(2, EVICTION_NONE);
    now_ns += S;
    set(0, BACKEND_PROBE, BACKEND_PROBE_UP);
    assert_eviction(0, EVICTION_NONE);
    assert_eviction(2, EVICTION_DOWN);
}

static void on_failback_closes_when_another_backend_is_usable(void **state)
{
    (void)state;
    p.pool.settings.on_failback = CONFIG_SESSIONS_CLOSE;
    open_all();
    set(0, BACKEND_PROBE, BACKEND_PROBE_DOWN);
    now_ns += S;
    set(1, BACKEND_PROBE, BACKEND_PROBE_DOWN);
    assert_eviction(2, EVICTION_NONE);
    take(2, 1);
    take(0, 1);
    now_ns += S;
    set(1, BACKEND_PROBE, BACKEND_PROBE_UP);
    assert_eviction(2, EVICTION_FAILBACK);
    assert_eviction(0, EVICTION_NONE);
    assert_int_equal(orders[0], 1);
    assert_logged("no primary is usable: backups take new sessions; 1 of 3 usable\n"
                  "only usable primaries take new sessions again; 2 of 3 usable\n"
                  "backend b2 is a backup, another one is usable, and on_failback = close: closing its 1 session, at most 100 a second\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_a_timeout_a_drain_lasts_until_the_last_session_has_ended),
        CASE(after_drain_timeout_the_rest_is_closed),
        CASE(a_session_that_comes_too_late_is_closed_too),
        CASE(what_is_ready_again_keeps_its_sessions),
        CASE(a_backend_that_has_left_stays_until_its_drain_is_logged),
        CASE(on_down_closes_after_probes_agents_and_orders),
        CASE(on_down_says_how_many_were_closed),
        CASE(on_down_keeps_the_sessions_unless_told_otherwise),
        CASE(on_down_spares_backends_that_serve_anyway),
        CASE(on_failback_closes_when_another_backend_is_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
