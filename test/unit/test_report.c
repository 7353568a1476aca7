/* test/unit/test_report.c: reports of the live objects, and the estimates from histograms. Test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pools.h"
#include "table/counters.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/report.h"

static struct report *take_report(const struct table *table)
{
    struct report *report = NULL;
    const struct report_sources sources = {.table = table};

    assert_int_equal(report_take(&sources, &report), 0);
    return report;
}

static void a_report_says_what_the_configuration_says(void **state)
{
    (void)state;
    struct pools p;
    struct config_listener listener = {.name = "front", .settings.protocol = CONFIG_PROTOCOL_BOTH, .settings.max_connections = 7, .settings.max_flows = 9};
    struct report *report;
    const struct report_pool *pool;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 2);
    p.backends[1].settings = (struct backend_settings){.weight = 5, .max_connections = 3, .backup = true};
    p.config.listeners = &listener;
    p.config.listener_count = 1;
    pools_open(&p);
    report = take_report(p.table);
    assert_int_equal(report->listener_count, 1);
    assert_string_equal(report->listeners[0].name, "front");
    assert_string_equal(report->listeners[0].pool, "p");
    assert_string_equal(report->listeners[0].protocol, "tcp+udp");
    assert_int_equal(report->listeners[0].sessions_max, 7);
    assert_int_equal(report->listeners[0].flows_max, 9);
    assert_int_equal(report->pool_count, 1);
    pool = &report->pools[0];
    assert_string_equal(pool->name, "p");
    assert_string_equal(pool->balance, "least_conn");
    assert_string_equal(pool->check, "none");
    assert_string_equal(pool->service, "primaries");
    assert_int_equal(pool->backend_count, 2);
    assert_string_equal(pool->backends[0].addr_text, "127.0.0.1:1");
    assert_true(pool->backends[0].serves);
    assert_int_equal(pool->backends[0].share_percent, 100);
    assert_string_equal(pool->backends[1].name, "b1");
    assert_true(pool->backends[1].backup);
    assert_int_equal(pool->backends[1].weight, 5);
    assert_int_equal(pool->backends[1].limit, 3);
    assert_int_equal(pool->backends[1].limit_now, 3);
    pools_close(&p);
    assert_string_equal(report->pools[0].backends[1].name, "b1"); /* the report does not need the objects */
    report_free(report);
}

static void slots_fullness_and_weight_are_those_of_the_moment(void **state)
{
    (void)state;
    struct pools p;
    struct report *report;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    p.backends[0].settings.max_connections = 2;
    pools_open(&p);
    assert_true(backend_reserve(pools_backend(&p, 0)) && backend_reserve(pools_backend(&p, 0)));
    table_set_agent_weight(p.table, pools_backend(&p, 0), (struct capacity_weight){.unit = CAPACITY_PERCENT, .value = 40});
    report = take_report(p.table);
    assert_int_equal(report->pools[0].backends[0].slots, 2);
    assert_true(report->pools[0].backends[0].is_full);
    assert_int_equal(report->pools[0].backends[0].share_percent, 40);
    report_free(report);
    backend_release(pools_backend(&p, 0));
    backend_release(pools_backend(&p, 0));
    pools_close(&p);
}

static void a_backend_that_leaves_comes_last_until_its_sessions_end(void **state)
{
    (void)state;
    struct pools p;
    struct report *report;
    struct backend *leaving;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    pools_open(&p);
    leaving = pools_backend(&p, 0);
    assert_true(backend_reserve(leaving));
    p.pool.backends = &p.backends[1];
    p.pool.backend_count = 2;
    pools_apply(&p);
    report = take_report(p.table);
    assert_int_equal(report->pools[0].backend_count, 3);
    assert_string_equal(report->pools[0].backends[0].name, "b1");
    assert_string_equal(report->pools[0].backends[2].name, "b0");
    assert_int_equal(report->pools[0].backends[2].state_now, REPORT_LEAVING);
    assert_false(report->pools[0].backends[2].serves);
    report_free(report);
    backend_release(leaving);
    table_reclaim(p.table);
    table_reclaim(p.table);
    report = take_report(p.table);
    assert_int_equal(report->pools[0].backend_count, 2);
    report_free(report);
    pools_close(&p);
}

static enum report_state state_with(enum backend_source source, unsigned value)
{
    return report_state_of(backend_state_with(backend_state_with(0, BACKEND_PROBE, BACKEND_PROBE_UP), source, value), false);
}

static void each_source_has_a_word_of_its_own(void **state)
{
    (void)state;
    uint32_t word = backend_state_with(0, BACKEND_PROBE, BACKEND_PROBE_DOWN);

    assert_string_equal(report_state_word(report_state_of(0, false)), "unchecked");
    assert_string_equal(report_state_word(state_with(BACKEND_PROBE, BACKEND_PROBE_UP)), "up");
    assert_string_equal(report_state_word(state_with(BACKEND_PROBE, BACKEND_PROBE_BUSY)), "busy");
    assert_string_equal(report_state_word(state_with(BACKEND_PROBE, BACKEND_PROBE_TIMED_OUT)), "timed-out");
    assert_string_equal(report_state_word(state_with(BACKEND_EJECTION, BACKEND_EJECTED)), "ejected");
    assert_string_equal(report_state_word(state_with(BACKEND_ADMIN, BACKEND_ADMIN_DRAIN)), "drain");
    assert_string_equal(report_state_word(state_with(BACKEND_AGENT, BACKEND_AGENT_MAINTENANCE)), "maint");
    assert_string_equal(report_state_word(state_with(BACKEND_AGENT, BACKEND_AGENT_DOWN)), "down");
    assert_string_equal(report_state_word(state_with(BACKEND_WEIGHT, BACKEND_WEIGHT_ZERO)), "drain");
    assert_string_equal(report_state_word(report_state_of(word, false)), "down");
    word = backend_state_with(word, BACKEND_ADMIN, BACKEND_ADMIN_DRAIN); /* what was ordered comes before what was found */
    assert_string_equal(report_state_word(report_state_of(word, false)), "drain");
    assert_string_equal(report_state_word(report_state_of(word, true)), "leaving");
}

static void workers_are_reported_in_their_order(void **state)
{
    (void)state;
    struct pools p;
    struct counters *counters = counters_new(2);
    struct report_sources sources = {.counters = counters, .workers = 2};
    struct report *report = NULL;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    pools_open(&p);
    sources.table = p.table;
    counters_add(&counters[1].accepted, 5);
    counters_add(&counters[1].bytes[1], 700);
    (void)counters_active_add(&counters[0], 3);
    assert_int_equal(report_take(&sources, &report), 0);
    assert_int_equal(report->worker_count, 2);
    assert_int_equal(report->workers[0].sessions, 3);
    assert_int_equal(report->workers[1].accepted, 5);
    assert_int_equal(report->workers[1].bytes[1], 700);
    report_free(report);
    counters_free(counters);
    pools_close(&p);
}

static void a_duration_is_counted_up_to_its_bound(void **state)
{
    (void)state;
    static struct stats_backend stats;
    struct report_traffic traffic;
    const uint64_t ms = 1000000;

    stats_note_time(&stats.traffic.connect, 0);
    stats_note_time(&stats.traffic.connect, ms / 2);
    stats_note_time(&stats.traffic.connect, ms / 2 + 1000);
    stats_note_time(&stats.traffic.connect, 600000 * ms);
    stats_note_time(&stats.traffic.connect, 600001 * ms);
    stats_report_traffic(&stats.traffic, &traffic);
    assert_int_equal(traffic.connect.counts[0], 2);
    assert_int_equal(traffic.connect.counts[1], 1);
    assert_int_equal(traffic.connect.counts[STATS_BUCKETS - 2], 1);
    assert_int_equal(traffic.connect.counts[STATS_BUCKETS - 1], 1);
    assert_int_equal(traffic.connect.sum_us, 500 + 501 + 600000000 + 600001000);
}

static void a_freed_backend_leaves_its_counts_to_its_pool(void **state)
{
    (void)state;
    struct pools p;
    struct report *report;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 3);
    pools_open(&p);
    stats_add(&pools_backend(&p, 0)->stats.traffic.bytes[1], 700);
    stats_add(&pools_backend(&p, 0)->stats.retries, 3);
    pools_backend(&p, 0)->events.ejections = 2;
    p.pool.backends = &p.backends[1];
    p.pool.backend_count = 2;
    pools_apply(&p);
    table_reclaim(p.table);
    report = take_report(p.table);
    assert_int_equal(report->pools[0].backend_count, 2);
    assert_int_equal(report->pools[0].gone.bytes[1], 700);
    assert_int_equal(report->pools[0].gone_events.retries, 3);
    assert_int_equal(report->pools[0].gone_events.ejections, 2);
    report_free(report);
    pools_close(&p);
}

static const struct report_backend *take_first(const struct pools *p, struct report **report)
{
    struct report_sources sources = {.table = p->table};

    assert_int_equal(report_take(&sources, report), 0);
    return &(*report)->pools[0].backends[0];
}

/* The reason is that of the state, not the last one that was given. */
static void a_state_has_its_own_reason(void **state)
{
    static const struct {
        enum backend_source source;
        unsigned value;
        const char *word, *reason;
    } steps[] = {
        {BACKEND_PROBE, BACKEND_PROBE_UP, "up", ""},
        {BACKEND_EJECTION, BACKEND_EJECTED, "ejected", "5 sessions in a row failed"},
        {BACKEND_PROBE, BACKEND_PROBE_DOWN, "down", "connection refused"},
        {BACKEND_AGENT, BACKEND_AGENT_DOWN, "down", "agent says down"},
        {BACKEND_AGENT, BACKEND_AGENT_DRAIN, "drain", "agent says down"},
        {BACKEND_ADMIN, BACKEND_ADMIN_MAINTENANCE, "maint", "ordered by the administrator"},
    };
    struct pools p;
    struct report *report;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    pools_open(&p);
    backend_set_reason(pools_backend(&p, 0), BACKEND_REASON_PROBE, "no route to host");
    backend_set_reason(pools_backend(&p, 0), BACKEND_REASON_PROBE, "connection refused");
    backend_set_reason(pools_backend(&p, 0), BACKEND_REASON_EJECTION, "5 sessions in a row failed");
    backend_set_reason(pools_backend(&p, 0), BACKEND_REASON_AGENT, "agent says down");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const struct report_backend *row;

        table_set_state(p.table, pools_backend(&p, 0), steps[i].source, steps[i].value);
        row = take_first(&p, &report);
        assert_string_equal(report_state_word(row->state_now), steps[i].word);
        assert_string_equal(row->reason, steps[i].reason);
        report_free(report);
    }
    pools_close(&p);
}

static void lines_about_health_are_reported(void **state)
{
    struct pools p;
    struct report *report;

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    pools_open(&p);
    table_note_line(p.table, "p", "b0", "is DOWN");
    table_note_line(p.table, "p", "", "no backend is usable");
    (void)take_first(&p, &report);
    assert_int_equal(report->line_count, 2);
    assert_int_equal(report->lines[0].id, 1);
    assert_string_equal(report->lines[0].backend, "b0");
    assert_string_equal(report->lines[1].text, "no backend is usable");
    report_free(report);
    pools_close(&p);
}

static void many_backends_fit(void **state)
{
    (void)state;
    struct pools p;
    struct report *report;

    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 5000);
    pools_open(&p);
    report = take_report(p.table);
    assert_string_equal(report->pools[0].backends[4999].name, "b4999");
    assert_string_equal(report->pools[0].backends[4999].addr_text, "127.0.0.1:5000");
    report_free(report);
    pools_close(&p);
}

static void a_percentile_is_linear_inside_its_bucket(void **state)
{
    (void)state;
    struct report_histogram histogram = {0};

    assert_int_equal(report_histogram_percentile_us(&histogram, 99), 0);
    histogram.counts[2] = 10; /* above 1 ms, up to 2.5 ms */
    assert_int_equal(report_histogram_count(&histogram), 10);
    assert_int_equal(report_histogram_percentile_us(&histogram, 50), 1750);
    assert_int_equal(report_histogram_percentile_us(&histogram, 100), 2500);
    histogram.counts[0] = 90;
    assert_int_equal(report_histogram_percentile_us(&histogram, 45), 250);
    assert_int_equal(report_histogram_percentile_us(&histogram, 95), 1750);
    histogram.counts[STATS_BUCKETS - 1] = 100;
    assert_int_equal(report_histogram_percentile_us(&histogram, 99), 600000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_says_what_the_configuration_says),
        cmocka_unit_test(slots_fullness_and_weight_are_those_of_the_moment),
        cmocka_unit_test(a_backend_that_leaves_comes_last_until_its_sessions_end),
        cmocka_unit_test(each_source_has_a_word_of_its_own),
        cmocka_unit_test(workers_are_reported_in_their_order),
        cmocka_unit_test(a_duration_is_counted_up_to_its_bound),
        cmocka_unit_test(a_freed_backend_leaves_its_counts_to_its_pool),
        cmocka_unit_test(a_state_has_its_own_reason),
        cmocka_unit_test(lines_about_health_are_reported),
        cmocka_unit_test(many_backends_fit),
        cmocka_unit_test(a_percentile_is_linear_inside_its_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
