/* test_ejection.c: the failures that workers note at a backend, and how health ejects backends for them, on a clock of its own. Test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "health/ejection.h"
#include "health/publisher.h"
#include "log/log.h"
#include "table/epoch.h"
#include "table/table.h"

#define MS UINT64_C(1000000)

enum { BACKENDS_MAX = 10 };

static struct config_backend backends[BACKENDS_MAX];
static char names[BACKENDS_MAX][4];
static struct config_pool pool;
static struct config config;
static struct epoch *epoch;
static struct table *table;
static struct publisher publisher;
static struct ejection ejection;
static uint64_t now_ns;

/* A pool of `count` backends with eject_after = 3, eject_time = 1s, eject_time_max = 5s and the given share. */
static void begin(size_t count, uint8_t share_percent)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "b%u", (unsigned)i);
        backends[i] = (struct config_backend){.name = names[i], .settings.weight = 1};
        assert_null(addr_parse(&backends[i].addr, "127.0.0.1:9"));
    }
    pool = (struct config_pool){
        .name = "p", .backends = backends, .backend_count = count, .settings.hash_table_size = 101, .settings.rise = 2, .settings.eject_after = 3,
        .settings.eject_time_ms = 1000, .settings.eject_time_max_ms = 5000, .settings.eject_share_percent = share_percent,
        .settings.first_byte_timeout_ms = 2000,
    };
    config = (struct config){.pools = &pool, .pool_count = 1};
    epoch = epoch_new(1);
    assert_non_null(epoch);
    table = table_new(epoch, NULL);
    assert_non_null(table);
    assert_int_equal(table_apply(table, &config, NULL), 0);
    now_ns = 1000000 * MS;
    publisher_init(&publisher, table, NULL, now_ns);
    ejection_init(&ejection, &publisher);
}

static void end(void)
{
    table_free(table);
    epoch_free(epoch);
}

static struct backend *get(size_t i)
{
    return table_backend(table, 0, i);
}

static bool is_out(size_t i)
{
    return backend_state_part(backend_state(get(i)), BACKEND_EJECTION) == BACKEND_EJECTED;
}

static void run_due(void)
{
    if (ejection_wake_ns(&ejection) <= now_ns)
        ejection_run(&ejection, now_ns);
}

/* As a worker and the health thread: notes failures, and lets health look. */
static void fail_sessions(size_t i, unsigned times)
{
    for (unsigned t = 0; t < times; t++) {
        if (backend_note_failure(get(i), BACKEND_RESET, ECONNRESET))
            ejection_alarm(&ejection, now_ns);
    }
    now_ns += 10 * MS;
    run_due();
}

/* Lets time pass, in the steps that the ejection asks for. */
static void let_pass(uint64_t ms)
{
    uint64_t end_ns = now_ns + ms * MS;

    while (ejection_wake_ns(&ejection) <= end_ns) {
        now_ns = ejection_wake_ns(&ejection) > now_ns ? ejection_wake_ns(&ejection) : now_ns;
        ejection_run(&ejection, now_ns);
    }
    now_ns = end_ns;
}

static void note_probe(size_t i, bool passed)
{
    ejection_note_probe(&ejection, get(i), passed, 0, now_ns);
}

/* Sessions have failed for first_byte_timeout = 2s often enough. */
static void eject_for_silence(size_t i)
{
    fail_sessions(i, 2);
    (void)backend_note_failure(get(i), BACKEND_SILENT, 0);
    ejection_alarm(&ejection, now_ns);
    let_pass(10);
    assert_true(is_out(i));
}

static void pass_after(size_t i, uint64_t took_ms)
{
    ejection_note_probe(&ejection, get(i), true, took_ms * MS, now_ns);
}

/* ---- notes ---- */

static void successes_end_a_row_of_failures(void **state)
{
    int error;

    (void)state;
    begin(2, 50);
    assert_true(backend_note_failure(get(0), BACKEND_CONNECT_FAILED, ECONNREFUSED));
    assert_int_equal(backend_last_failure(get(0), &error), BACKEND_CONNECT_FAILED);
    assert_int_equal(error, ECONNREFUSED);
    (void)backend_note_failure(get(0), BACKEND_CLOSED, 0);
    assert_int_equal(backend_last_failure(get(0), &error), BACKEND_CLOSED);
    assert_int_equal(error, 0);
    assert_int_equal(backend_failures(get(0)), 2);
    assert_int_equal(backend_failures(get(1)), 0);
    backend_note_success(get(0));
    assert_int_equal(backend_failures(get(0)), 0);
    end();
}

static void health_is_told_once_until_it_looks(void **state)
{
    (void)state;
    begin(2, 50);
    assert_false(pool_take_alarm(table_pool(table, 0)));
    assert_true(backend_note_failure(get(0), BACKEND_CLOSED, 0));
    assert_false(backend_note_failure(get(0), BACKEND_CLOSED, 0));
    assert_false(backend_note_failure(get(1), BACKEND_CLOSED, 0));
    assert_true(pool_take_alarm(table_pool(table, 0)));
    assert_false(pool_take_alarm(table_pool(table, 0)));
    assert_true(backend_note_failure(get(0), BACKEND_CLOSED, 0));
    end();
}

static void alarms_are_looked_at_once_in_10_ms(void **state)
{
    (void)state;
    begin(2, 50);
    ejection_alarm(&ejection, now_ns);
    assert_int_equal(ejection_wake_ns(&ejection), now_ns);
    ejection_run(&ejection, now_ns);
    assert_int_equal(ejection_wake_ns(&ejection), UINT64_MAX);
    ejection_alarm(&ejection, now_ns + 3 * MS);
    ejection_alarm(&ejection, now_ns + 4 * MS);
    assert_int_equal(ejection_wake_ns(&ejection), now_ns + 10 * MS);
    end();
}

/* ---- ejections ---- */

static void backend_is_out_after_eject_after_failures_in_a_row(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 2);
    backend_note_success(get(0));
    fail_sessions(0, 2);
    assert_false(is_out(0));
    fail_sessions(0, 1);
    assert_true(is_out(0));
    assert_int_equal(table_pool(table, 0)->usable, 1);
    let_pass(989); /* the failures took 10 ms of the second */
    assert_true(is_out(0));
    let_pass(20);
    assert_false(is_out(0));
    assert_int_equal(table_pool(table, 0)->usable, 2);
    end();
}

/* Returns how long the backend is out, in ms, when it fails now. */
static uint64_t time_out_ms(size_t i)
{
    uint64_t before_ns;

    fail_sessions(i, 3);
    before_ns = now_ns;
    if (!is_out(i))
        return 0;
    while (is_out(i)) {
        now_ns = ejection_wake_ns(&ejection);
        ejection_run(&ejection, now_ns);
    }
    return (now_ns - before_ns) / MS;
}

static void time_doubles_up_to_the_maximum_and_is_forgotten(void **state)
{
    (void)state;
    begin(2, 50);
    assert_int_equal(time_out_ms(0), 1000);
    assert_int_equal(time_out_ms(0), 2000);
    assert_int_equal(time_out_ms(0), 4000);
    assert_int_equal(time_out_ms(0), 5000);
    assert_int_equal(time_out_ms(0), 5000);
    let_pass(2500);
    assert_int_equal(time_out_ms(0), 2000); /* three doublings, less two */
    let_pass(100000);
    assert_int_equal(time_out_ms(0), 1000);
    end();
}

static void maximum_below_the_time_is_not_used(void **state)
{
    (void)state;
    begin(2, 50);
    pool.settings.eject_time_max_ms = 10;
    assert_int_equal(table_apply(table, &config, NULL), 0);
    assert_int_equal(time_out_ms(0), 1000);
    assert_int_equal(time_out_ms(0), 1000);
    end();
}

static void first_session_after_the_return_decides(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    fail_sessions(0, 7); /* sessions that had begun before */
    let_pass(1000);
    assert_false(is_out(0));
    fail_sessions(1, 1); /* makes health look at the pool */
    assert_false(is_out(0));
    fail_sessions(0, 1);
    assert_true(is_out(0));
    let_pass(2000);
    assert_false(is_out(0));
    backend_note_success(get(0));
    fail_sessions(0, 2);
    assert_false(is_out(0));
    fail_sessions(0, 1);
    assert_true(is_out(0));
    end();
}

static void success_of_an_old_session_during_the_ejection_counts(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    backend_note_success(get(0));
    let_pass(1000);
    fail_sessions(0, 2);
    assert_false(is_out(0));
    end();
}

static void only_the_share_of_the_pool_is_out_at_a_time(void **state)
{
    (void)state;
    begin(5, 50);
    for (size_t i = 0; i < 5; i++)
        fail_sessions(i, 3);
    assert_true(is_out(0) && is_out(1));
    assert_false(is_out(2) || is_out(3) || is_out(4));
    let_pass(960); /* the first one returns, and the next that fails is ejected */
    assert_false(is_out(0));
    assert_true(is_out(1) && is_out(2));
    assert_false(is_out(3) || is_out(4));
    end();
}

static void single_backend_and_share_of_zero_are_never_ejected(void **state)
{
    (void)state;
    begin(1, 100);
    fail_sessions(0, 50);
    assert_false(is_out(0));
    end();
    begin(3, 0);
    fail_sessions(0, 50);
    assert_false(is_out(0));
    end();
}

static void last_usable_backend_stays_in(void **state)
{
    (void)state;
    begin(3, 100);
    table_set_state(table, get(0), BACKEND_PROBE, BACKEND_PROBE_DOWN);
    fail_sessions(1, 3);
    fail_sessions(2, 3);
    assert_true(is_out(1));
    assert_false(is_out(2));
    end();
}

static void ejected_backend_returns_if_no_other_is_usable(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    assert_true(is_out(0));
    table_set_state(table, get(1), BACKEND_PROBE, BACKEND_PROBE_DOWN);
    note_probe(1, false);
    assert_false(is_out(0));
    assert_int_equal(table_pool(table, 0)->usable, 1);
    end();
}

/* Its sessions failed before the probes noticed. When it is up again, its first session decides. */
static void backend_that_probes_have_taken_down_is_not_ejected(void **state)
{
    (void)state;
    begin(2, 50);
    table_set_state(table, get(0), BACKEND_PROBE, BACKEND_PROBE_DOWN);
    fail_sessions(0, 9);
    assert_false(is_out(0));
    table_set_state(table, get(0), BACKEND_PROBE, BACKEND_PROBE_UP);
    fail_sessions(1, 1);
    assert_false(is_out(0));
    fail_sessions(0, 1);
    assert_true(is_out(0));
    end();
}

static void backend_without_eject_after_stays_in_and_returns(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    assert_true(is_out(0));
    pool.settings.eject_after = 0;
    assert_int_equal(table_apply(table, &config, NULL), 0);
    ejection_applied(&ejection, now_ns);
    run_due();
    assert_false(is_out(0));
    fail_sessions(0, 50);
    assert_false(is_out(0));
    end();
}

/* ---- probes ---- */

static void probes_that_pass_all_the_time_do_not_end_an_ejection(void **state)
{
    (void)state;
    begin(2, 50);
    note_probe(0, true);
    fail_sessions(0, 3);
    for (int i = 0; i < 20; i++)
        note_probe(0, true);
    assert_true(is_out(0));
    end();
}

static void probes_that_saw_the_failure_end_the_ejection(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    note_probe(0, false);
    note_probe(0, true);
    assert_true(is_out(0));
    note_probe(0, false);
    note_probe(0, true);
    assert_true(is_out(0));
    note_probe(0, true);
    assert_false(is_out(0));
    end();
}

/* Probes connect, so they see what sessions fail at. No probe has to have failed, because a server may be restarted between two. */
static void probes_end_an_ejection_for_refused_connections(void **state)
{
    (void)state;
    begin(2, 50);
    note_probe(0, true);
    fail_sessions(0, 2);
    (void)backend_note_failure(get(0), BACKEND_CONNECT_FAILED, ECONNREFUSED);
    ejection_alarm(&ejection, now_ns);
    let_pass(10);
    assert_true(is_out(0));
    note_probe(0, true);
    assert_true(is_out(0));
    note_probe(0, true);
    assert_false(is_out(0));
    end();
}

static void probes_that_waited_end_an_ejection_for_silence(void **state)
{
    (void)state;
    begin(2, 50);
    eject_for_silence(0);
    pass_after(0, 999);
    pass_after(0, 999);
    assert_true(is_out(0)); /* quick enough: they say nothing */
    pass_after(0, 1000);
    pass_after(0, 1);
    assert_true(is_out(0));
    pass_after(0, 1);
    assert_false(is_out(0));
    end();
}

/* They show no difference between a server that is well and one that is not. */
static void probes_that_always_take_long_do_not_end_an_ejection_for_silence(void **state)
{
    (void)state;
    begin(2, 50);
    eject_for_silence(0);
    for (int i = 0; i < 20; i++)
        pass_after(0, 1500);
    assert_true(is_out(0));
    end();
}

static void time_of_a_probe_says_nothing_about_other_failures(void **state)
{
    (void)state;
    begin(2, 50);
    fail_sessions(0, 3);
    pass_after(0, 5000);
    for (int i = 0; i < 20; i++)
        pass_after(0, 1);
    assert_true(is_out(0));
    end();
}

/* The last probe before the ejection counts as well; and each repetition takes twice as many. */
static void repeated_ejections_take_more_probes(void **state)
{
    (void)state;
    begin(2, 50);
    for (unsigned needed = 2; needed <= 8; needed *= 2) {
        note_probe(0, false);
        fail_sessions(0, 3);
        assert_true(is_out(0));
        for (unsigned i = 1; i < needed; i++)
            note_probe(0, true);
        assert_true(is_out(0));
        note_probe(0, true);
        assert_false(is_out(0));
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(successes_end_a_row_of_failures),
        cmocka_unit_test(health_is_told_once_until_it_looks),
        cmocka_unit_test(alarms_are_looked_at_once_in_10_ms),
        cmocka_unit_test(backend_is_out_after_eject_after_failures_in_a_row),
        cmocka_unit_test(time_doubles_up_to_the_maximum_and_is_forgotten),
        cmocka_unit_test(maximum_below_the_time_is_not_used),
        cmocka_unit_test(first_session_after_the_return_decides),
        cmocka_unit_test(success_of_an_old_session_during_the_ejection_counts),
        cmocka_unit_test(only_the_share_of_the_pool_is_out_at_a_time),
        cmocka_unit_test(single_backend_and_share_of_zero_are_never_ejected),
        cmocka_unit_test(last_usable_backend_stays_in),
        cmocka_unit_test(ejected_backend_returns_if_no_other_is_usable),
        cmocka_unit_test(backend_that_probes_have_taken_down_is_not_ejected),
        cmocka_unit_test(backend_without_eject_after_stays_in_and_returns),
        cmocka_unit_test(probes_that_pass_all_the_time_do_not_end_an_ejection),
        cmocka_unit_test(probes_that_saw_the_failure_end_the_ejection),
        cmocka_unit_test(probes_end_an_ejection_for_refused_connections),
        cmocka_unit_test(probes_that_waited_end_an_ejection_for_silence),
        cmocka_unit_test(probes_that_always_take_long_do_not_end_an_ejection_for_silence),
        cmocka_unit_test(time_of_a_probe_says_nothing_about_other_failures),
        cmocka_unit_test(repeated_ejections_take_more_probes),
    };
    const struct log_options options = {.target = "/dev/null", .level = LOG_ERROR};
    const char *failed_path;
    int failures;

    if (log_start(&options, &failed_path) < 0)
        return 1;
    log_started();
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    log_stop();
    return failures;
}
