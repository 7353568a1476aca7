/* test_metrics: a report as metrics for Prometheus: the values, the form, what narrows a scrape, its size, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics.h"
#include "admin/metrics_table.h"
#include "report_fixture.h"
#include "scarce_memory.h"

#define BUDGET_BYTES 2000000

static const struct metrics_facts facts = {
    .version = "1.2", .engine = "io_uring", .config_hash = "00ff", .started_ms = UINT64_C(1764364800123), .cpu_us = 2500000, .resident_bytes = 4096, .ready = true,
    .max_connections = 5000, .max_flows = 6000,
};

/* Returns the text with a terminator. `arguments`: "name=value&name=value". */
static char *text_of(const struct report_fixture *fixture, const char *arguments)
{
    struct metrics_query query;
    char *copy = strdup(arguments), *rest = copy, *one;
    size_t length = 0;

    metrics_query_init(&query);
    while ((one = strsep(&rest, "&")))
        if (*one != '\0') {
            char *name = strsep(&one, "=");
            assert_null(metrics_query_add(&query, name, one));
        }
    assert_null(metrics_unknown_pool(&fixture->report, &query));
    char *text = metrics_text(&fixture->report, &facts, &query, &length);
    free(copy);
    assert_non_null(text);
    text = realloc(text, length + 1);
    text[length] = '\0';
    assert_int_equal(strlen(text), length);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

static void require_lines(const char *text, const char *const *lines)
{
    for (; *lines; lines++)
        if (!has_line(text, *lines))
            fail_msg("there is no line \"%s\" in:\n%s", *lines, text);
}

static void a_report_becomes_metrics(void **state)
{
    struct report_fixture *fixture = report_fixture_new(2, 2, "p", "b");
    (void)state;

    fixture->backends[1].state_now = REPORT_DOWN;
    fixture->backends[1].reason = "said \"no\"\xff";
    fixture->backends[1].serves = false;
    fixture->backends[1].limit_now = 0;
    fixture_count_traffic(&fixture->pools[0].gone, 10);
    fixture->pools[0].gone_events.ejections = 100;
    char *text = text_of(fixture, "");
    require_lines(text, (const char *const[]){
        "# TYPE penstock_build_info gauge", "penstock_build_info{version=\"1.2\"} 1", "penstock_engine_info{engine=\"io_uring\"} 1",
        "penstock_config_info{hash=\"00ff\"} 1", "process_start_time_seconds 1764364800.123", "process_cpu_seconds_total 2.5", "penstock_ready 1",
        "penstock_sessions 7", "penstock_max_connections 5000", "penstock_log_lines_dropped_total{log=\"log\"} 0",
        "penstock_log_lines_dropped_total{log=\"access_log\"} 41",
        "penstock_worker_accepted_total{worker=\"0\"} 10", "penstock_worker_accepted_total{worker=\"1\"} 2",
        "penstock_listener_pool_info{listener=\"web\",pool=\"p0\"} 1", "penstock_listener_refused_total{listener=\"web\",reason=\"no_backend\"} 2",
        "penstock_listener_refused_total{listener=\"web\",reason=\"connect\"} 0", "penstock_listener_ended_total{listener=\"web\",code=\"CD\"} 5",
        "penstock_listener_bytes_total{listener=\"web\",direction=\"in\"} 1000", "penstock_listener_bytes_total{listener=\"web\",direction=\"out\"} 20000",
        "penstock_pool_backends{pool=\"p0\",state=\"up\"} 1", "penstock_pool_backends{pool=\"p0\",state=\"down\"} 1",
        "penstock_pool_backends{pool=\"p0\",state=\"busy\"} 0", "penstock_pool_backends{pool=\"p1\",state=\"up\"} 2",
        "penstock_pool_serving_backends{pool=\"p0\"} 1", "penstock_pool_service_info{pool=\"p1\",service=\"primaries\"} 1",
        "penstock_pool_sessions_total{pool=\"p0\"} 144", "penstock_pool_sessions_total{pool=\"p1\"} 24", "penstock_pool_ejections_total{pool=\"p0\"} 116",
        "penstock_backend_state{pool=\"p0\",backend=\"b0\"} 1", "penstock_backend_state{pool=\"p0\",backend=\"b1\"} 9",
        "penstock_backend_reason_info{pool=\"p0\",backend=\"b1\",reason=\"said \\\"no\\\"?\"} 1", "penstock_backend_weight{pool=\"p1\",backend=\"b1\"} 1.5",
        "penstock_backend_max_connections{pool=\"p0\",backend=\"b0\"} 80", "penstock_backend_probe_seconds{pool=\"p0\",backend=\"b0\"} 0.00125",
        "penstock_backend_probes_total{pool=\"p0\",backend=\"b0\"} 60", "penstock_backend_probes_failed_total{pool=\"p0\",backend=\"b0\"} 7",
        "penstock_pool_probes_total{pool=\"p1\",result=\"passed\"} 106", "penstock_pool_probes_total{pool=\"p1\",result=\"failed\"} 8",
        "penstock_pool_probes_total{pool=\"p1\",result=\"timed_out\"} 6", NULL});
    assert_null(strstr(text, "penstock_backend_max_connections{pool=\"p0\",backend=\"b1\"}"));
    assert_null(strstr(text, "penstock_backend_reason_info{pool=\"p0\",backend=\"b0\""));
    free(text);
    report_fixture_free(fixture);
}

static void histograms_are_cumulative_and_backends_have_summaries(void **state)
{
    struct report_fixture *fixture = report_fixture_new(1, 2, "p", "b");
    (void)state;

    char *text = text_of(fixture, "");
    require_lines(text, (const char *const[]){
        "# TYPE penstock_pool_connect_seconds histogram", "penstock_pool_connect_seconds_bucket{pool=\"p0\",le=\"0.0005\"} 20",
        "penstock_pool_connect_seconds_bucket{pool=\"p0\",le=\"0.0025\"} 20", "penstock_pool_connect_seconds_bucket{pool=\"p0\",le=\"0.005\"} 24",
        "penstock_pool_connect_seconds_bucket{pool=\"p0\",le=\"600\"} 24", "penstock_pool_connect_seconds_bucket{pool=\"p0\",le=\"+Inf\"} 24",
        "penstock_pool_connect_seconds_count{pool=\"p0\"} 24", "penstock_pool_connect_seconds_sum{pool=\"p0\"} 0.03",
        "# TYPE penstock_backend_connect_seconds summary", "penstock_backend_connect_seconds_count{pool=\"p0\",backend=\"b1\"} 12",
        "penstock_backend_connect_seconds_sum{pool=\"p0\",backend=\"b1\"} 0.015", "penstock_backend_first_byte_seconds_sum{pool=\"p0\",backend=\"b1\"} 800.000001", NULL});
    assert_null(strstr(text, "penstock_backend_connect_seconds_bucket"));
    free(text);

    text = text_of(fixture, "histograms=backend");
    require_lines(text, (const char *const[]){
        "# TYPE penstock_backend_connect_seconds histogram", "penstock_backend_connect_seconds_bucket{pool=\"p0\",backend=\"b1\",le=\"0.005\"} 12",
        "penstock_backend_connect_seconds_count{pool=\"p0\",backend=\"b1\"} 12", NULL});
    free(text);
    report_fixture_free(fixture);
}

static void arguments_narrow_a_scrape(void **state)
{
    static const struct {
        const char *arguments, *present, *absent;
    } cases[] = {
        {"level=process", "penstock_ready", "penstock_worker_"}, {"level=worker", "penstock_worker_sessions", "penstock_listener_"},
        {"level=listener", "penstock_listener_sessions", "penstock_pool_"}, {"level=pool", "penstock_pool_sessions", "penstock_backend_"},
        {"level=backend", "penstock_backend_sessions", "\"p9\""}, {"pool=p1", "penstock_backend_state{pool=\"p1\"", "\"p0\""},
        {"pool=p1", "penstock_ready", "listener=\"web\""}, {"pool=p0", "listener=\"web\"", "\"p1\""}, {"pool=p1&pool=p2", "pool=\"p2\"", "\"p0\""},
        {"level=pool&pool=p2", "penstock_pool_sessions{pool=\"p2\"}", "penstock_pool_sessions{pool=\"p1\"}"},
    };
    struct report_fixture *fixture = report_fixture_new(3, 2, "p", "b");
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = text_of(fixture, cases[i].arguments);
        if (!strstr(text, cases[i].present) || strstr(text, cases[i].absent))
            fail_msg("?%s: %s is absent or %s is present", cases[i].arguments, cases[i].present, cases[i].absent);
        free(text);
    }
    report_fixture_free(fixture);
}

static void each_protocol_has_its_own_metrics(void **state)
{
    struct report_fixture *fixture = report_fixture_new(1, 1, "p", "b");
    (void)state;

    char *text = text_of(fixture, "");
    assert_non_null(strstr(text, "penstock_backend_connect_seconds_sum"));
    assert_non_null(strstr(text, "penstock_listener_accepted_total"));
    assert_null(strstr(text, "penstock_backend_flows_total"));
    assert_null(strstr(text, "penstock_listener_flows"));
    free(text);

    fixture->listener.protocol = "udp";
    text = text_of(fixture, "");
    assert_null(strstr(text, "penstock_backend_connect_seconds_sum"));
    assert_null(strstr(text, "penstock_listener_accepted_total"));
    assert_non_null(strstr(text, "penstock_backend_flows_total"));
    assert_non_null(strstr(text, "penstock_listener_flows_total"));
    assert_non_null(strstr(text, "penstock_backend_sessions{"));
    free(text);

    fixture->listener.protocol = "tcp+udp";
    text = text_of(fixture, "");
    assert_non_null(strstr(text, "penstock_backend_connect_seconds_sum"));
    assert_non_null(strstr(text, "penstock_backend_flows_total"));
    assert_non_null(strstr(text, "penstock_listener_accepted_total"));
    assert_non_null(strstr(text, "penstock_listener_flows_total"));
    free(text);

    fixture->report.listener_count = 0; /* nothing leads to the pool */
    text = text_of(fixture, "");
    assert_non_null(strstr(text, "penstock_backend_connect_seconds_sum"));
    assert_non_null(strstr(text, "penstock_backend_flows_total"));
    free(text);
    report_fixture_free(fixture);
}

static void wrong_arguments_are_refused(void **state)
{
    static const char *const wrong[][2] = {{"level", "session"}, {"level", ""}, {"level", "Pool"}, {"histograms", "pool"}, {"pools", "p0"}, {"", ""}};
    struct report_fixture *fixture = report_fixture_new(2, 1, "p", "b");
    struct metrics_query query;
    (void)state;

    metrics_query_init(&query);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(metrics_query_add(&query, wrong[i][0], wrong[i][1]));
    for (size_t i = 0; i < METRICS_POOLS_MAX; i++)
        assert_null(metrics_query_add(&query, "pool", i == 5 ? "p2" : "p1"));
    assert_non_null(metrics_query_add(&query, "pool", "p1"));
    assert_string_equal(metrics_unknown_pool(&fixture->report, &query), "p2");
    report_fixture_free(fixture);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each family has its two head lines once, before its samples, which are together; no series is there twice. */
static void require_form(char *text)
{
    size_t count = 0, capacity = 0;
    char **lines = NULL, family[100] = "", *rest = text, *line;

    while ((line = strsep(&rest, "\n"))) {
        char name[100] = "";
        if (*line == '\0')
            continue;
        if (sscanf(line, "# HELP %99s", name) == 1) {
            memcpy(family, name, sizeof(family));
        } else if (sscanf(line, "# TYPE %99s", name) != 1) {
            if (strncmp(line, family, strlen(family)) != 0)
                fail_msg("%s is not below the head of its family", line);
            *strrchr(line, ' ') = '\0'; /* the value */
        }
        if (count == capacity)
            lines = realloc(lines, (capacity = capacity * 2 + 1000) * sizeof(*lines));
        lines[count++] = line;
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 1; i < count; i++)
        if (strcmp(lines[i - 1], lines[i]) == 0)
            fail_msg("%s is there twice", lines[i]);
    free(lines);
}

static void what_has_left_does_not_repeat_a_series(void **state)
{
    struct report_fixture *fixture = report_fixture_new(3, 4, "p", "b");
    struct report_listener listeners[2] = {fixture->listener, fixture->listener};
    (void)state;

    for (int i = 2; i < 4; i++) { /* b1 was replaced; b2 has only left */
        fixture->backends[i].name = i == 2 ? "b1" : "b2";
        fixture->backends[i].state_now = REPORT_LEAVING;
        fixture->backends[i].slots = 55;
    }
    fixture->pools[2].name = fixture->pools[1].name;
    fixture->pools[2].leaving = true;
    fixture->report.listeners = listeners;
    fixture->report.listener_count = 2;
    listeners[1].leaving = true;
    listeners[1].sessions = 55;
    char *text = text_of(fixture, "");
    require_lines(text, (const char *const[]){
        "penstock_backend_sessions{pool=\"p0\",backend=\"b1\"} 7", "penstock_backend_sessions{pool=\"p0\",backend=\"b2\"} 55",
        "penstock_pool_sessions_total{pool=\"p0\"} 48", "penstock_pool_backends{pool=\"p0\",state=\"leaving\"} 2",
        "penstock_listener_sessions{listener=\"web\"} 7", NULL});
    require_form(text);
    free(text);
    report_fixture_free(fixture);
}

/* The worst case of the budget: long names and numbers, every backend down, each with a reason. */
static void a_thousand_backends_stay_below_two_megabytes(void **state)
{
    struct report_fixture *fixture = report_fixture_new(1, 1000, "inference", "gpu-node-1");
    char reason[] = "connecting to 10.11.12.13:8001 was refused (3 of 3)";
    (void)state;

    for (size_t i = 0; i < 1000; i++) {
        struct report_backend *backend = &fixture->backends[i];
        fixture_count_traffic(&backend->traffic, 1234567);
        backend->state_now = REPORT_DOWN;
        backend->reason = reason;
        backend->events = (struct report_events){.probes = 1234567, .probes_failed = 123456, .retries = 12345, .connect_failures = 12345};
    }
    char *text = text_of(fixture, "");
    print_message("1,000 backends: %zu bytes\n", strlen(text));
    assert_true(strlen(text) < BUDGET_BYTES);
    assert_true(strlen(text) > BUDGET_BYTES / 2);
    require_form(text);
    free(text);
    text = text_of(fixture, "histograms=backend");
    require_form(text);
    free(text);
    report_fixture_free(fixture);
}

static void check_with_promtool(const struct report_fixture *fixture, const char *arguments)
{
    char *text = text_of(fixture, arguments);
    FILE *promtool = popen("promtool check metrics 2>&1", "w");

    assert_non_null(promtool);
    assert_int_equal(fwrite(text, 1, strlen(text), promtool), strlen(text));
    if (pclose(promtool) != 0)
        fail_msg("promtool finds faults in /metrics?%s", arguments);
    free(text);
}

static void promtool_finds_no_fault(void **state)
{
    struct report_fixture *fixture = report_fixture_new(2, 3, "p", "b");
    (void)state;

    if (system("command -v promtool >/dev/null") != 0)
        skip();
    fixture->backends[0].state_now = REPORT_TIMED_OUT;
    fixture->backends[0].reason = "no answer:\n\"\\\xff\xc3\xa9";
    check_with_promtool(fixture, "");
    check_with_promtool(fixture, "histograms=backend");
    check_with_promtool(fixture, "level=process");
    report_fixture_free(fixture);
}

static void scarce_memory_gives_no_text(void **state)
{
    (void)state;
#ifndef MEMORY_IS_SCARCE
    skip();
#endif
    struct report_fixture *fixture = report_fixture_new(2, 30, "p", "b");
    struct metrics_query query;
    char *text = NULL;
    size_t length;

    metrics_query_init(&query);
    for (long left = 0; !text; left++) {
        long blocks = memory_blocks;
        memory_recovers = left % 2 == 1;
        memory_left = left / 2;
        memory_failed = false;
        text = metrics_text(&fixture->report, &facts, &query, &length);
        memory_left = -1;
        assert_int_equal(memory_failed, !text);
        assert_int_equal(memory_blocks, blocks + (text != NULL));
        assert_true(left < 1000);
    }
    free(text);
    report_fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_becomes_metrics),
        cmocka_unit_test(histograms_are_cumulative_and_backends_have_summaries),
        cmocka_unit_test(arguments_narrow_a_scrape),
        cmocka_unit_test(each_protocol_has_its_own_metrics),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(what_has_left_does_not_repeat_a_series),
        cmocka_unit_test(a_thousand_backends_stay_below_two_megabytes),
        cmocka_unit_test(promtool_finds_no_fault),
        cmocka_unit_test(scarce_memory_gives_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
