/* test/unit/test_health_apply.c: the health thread applies a new configuration while it probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "health_fixture.h"
#include "table/report.h"

/* The configuration changes while the thread runs: one backend is removed, one is added, and one is probed by the new settings. */
static void backends_come_and_go_while_it_runs(void **state)
{
    (void)state;
    struct addr addrs[3] = {{0}};
    struct table_change change;
    int first = listen_on(&addrs[0]), second = listen_on(&addrs[1]), third = listen_on(&addrs[2]);
    prepare(CONFIG_CHECK_TCP, addrs, 3);
    pool.backend_count = 2;
    start();
    assert_true(await_probes(first, 2));
    pool.backends = &backends[1];
    pool.settings.check_initial_up = false;
    assert_int_equal(health_apply(health, &config, &change), 0);
    assert_int_equal(change.backends.added, 1);
    assert_int_equal(change.backends.retired, 1);
    assert_int_equal(change.pools.changed, 1);
    assert_true(await_usable(2)); /* the new backend starts down, and a probe has brought it up */
    assert_true(await_probes(third, 2));
    drain(first);
    close(second);
    assert_true(await_usable(1));
    assert_int_equal(drain(first), 0); /* the removed backend is not probed */
    pool.settings.check = CONFIG_CHECK_NONE;
    assert_int_equal(health_apply(health, &config, &change), 0);
    assert_int_equal(usable(NULL), 2);
    free(stop());
    close(first);
    close(third);
}

static void a_report_comes_from_the_running_thread(void **state)
{
    (void)state;
    struct addr addr = {0};
    struct report *report = NULL;
    int fd = listen_on(&addr);

    prepare(CONFIG_CHECK_TCP, &addr, 1);
    start();
    assert_true(await_probes(fd, 2));
    assert_int_equal(health_report(health, clock_now_ns() + UINT64_C(10000000000), &report), 0);
    assert_int_equal(report->pool_count, 1);
    assert_string_equal(report->pools[0].backends[0].name, "b0");
    assert_int_equal(report->pools[0].backends[0].state_now, REPORT_UP);
    report_free(report);
    free(stop());
    close(fd);
}

/* Hundreds of changes while probes of both kinds are in flight: targets restart, are removed and are added. Meant for the sanitizers. */
static void changes_meet_probes_under_way(void **state)
{
    (void)state;
    enum { BACKENDS = 40, CHANGES = 300 };
    static struct addr addrs[BACKENDS];
    uint64_t random = 3;
    int silent = listen_on(&addrs[0]); /* accepts nothing, so that HTTP probes stay in flight */
    for (int i = 1; i < BACKENDS; i++)
        addrs[i] = i % 4 == 0 ? closed_port() : addrs[0];
    prepare(CONFIG_CHECK_HTTP, addrs, BACKENDS);
    pool.settings.check_interval_ms = pool.settings.check_fast_interval_ms = pool.settings.check_down_interval_ms = 10;
    start();
    for (int i = 0; i < CHANGES; i++) {
        uint32_t begin = random_below(&random, BACKENDS);
        pool.backends = &backends[begin];
        pool.backend_count = 1 + random_below(&random, BACKENDS - begin);
        pool.settings.check = (enum config_check)random_below(&random, 3);
        pool.settings.check_timeout_ms = 20 + random_below(&random, 2);
        backends[begin].settings.check_port = (uint16_t)random_below(&random, 2);
        assert_int_equal(health_apply(health, &config, NULL), 0);
        if (i % 10 == 0)
            poll(NULL, 0, 1); /* gives some probes time to end */
    }
    pool.backends = backends;
    pool.backend_count = BACKENDS;
    pool.settings.check = CONFIG_CHECK_NONE;
    assert_int_equal(health_apply(health, &config, NULL), 0);
    assert_int_equal(usable(NULL), BACKENDS);
    free(stop());
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_come_and_go_while_it_runs),
        cmocka_unit_test(a_report_comes_from_the_running_thread),
        cmocka_unit_test(changes_meet_probes_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
