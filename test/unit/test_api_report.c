/* test_api_report.c: reports that are made by hand, as the JSON of the admin API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "admin/api_json.h"
#include "admin/api_report.h"
#include "report_fixture.h"
#include "table/report.h"

/* Two pools of two backends, a listener and two workers, taken 10 s after the clock's zero. */
static struct report_fixture *make_report(void)
{
    struct report_fixture *fixture = report_fixture_new(2, 2, "p", "b");

    fixture->report.taken_ns = UINT64_C(10000000000);
    fixture->backends[1].state_now = REPORT_DOWN;
    fixture->backends[1].since_ns = UINT64_C(8500000000);
    fixture->backends[1].reason = "connection \x01refused \xff";
    fixture->backends[1].serves = false;
    fixture->backends[1].limit = fixture->backends[1].limit_now = 0;
    fixture->backends[1].probe_us = 0;
    fixture->backends[1].heard_ns = UINT64_C(9000000000);
    return fixture;
}

/* The text of the value at a path such as "pools.0.backends.1.name". */
static const char *value_at(const json_t *json, const char *path)
{
    static char text[400];
    char copy[100], *rest;

    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok_r(copy, ".", &rest); part; part = strtok_r(NULL, ".", &rest))
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part)) : json_object_get(json, part);
    if (!json)
        return "(missing)";
    char *dump = json_dumps(json, JSON_ENCODE_ANY | API_JSON_FLAGS);
    snprintf(text, sizeof(text), "%s", dump);
    free(dump);
    return text;
}

struct expected {
    const char *path, *value;
};

static void assert_values(const json_t *json, const struct expected *rows, size_t count)
{
    assert_non_null(json);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value_at(json, rows[i].path), rows[i].value) != 0)
            fail_msg("%s is %s instead of %s", rows[i].path, value_at(json, rows[i].path), rows[i].value);
    }
}

#define ASSERT_VALUES(json, rows) assert_values(json, rows, sizeof(rows) / sizeof((rows)[0]))

static void pools_have_their_backends(void **state)
{
    static const struct expected rows[] = {
        {"pools.0.name", "\"p0\""},
        {"pools.0.balance", "\"least_conn\""},
        {"pools.0.service", "\"primaries\""},
        {"pools.0.sessions", "7"},
        {"pools.0.states.up", "1"},
        {"pools.0.states.down", "1"},
        {"pools.0.states.timed-out", "0"},
        {"pools.0.gone.sessions_total", "0"},
        {"pools.0.backends.0.name", "\"b0\""},
        {"pools.0.backends.0.address", "\"10.0.0.1:8001\""},
        {"pools.0.backends.0.state", "\"up\""},
        {"pools.0.backends.0.reason", "null"},
        {"pools.0.backends.0.since_s", "10.0"},
        {"pools.0.backends.0.serves", "true"},
        {"pools.0.backends.0.backup", "false"},
        {"pools.0.backends.0.weight", "3"},
        {"pools.0.backends.0.share_percent", "50"},
        {"pools.0.backends.0.max_connections", "100"},
        {"pools.0.backends.0.max_connections_now", "80"},
        {"pools.0.backends.0.sessions", "7"},
        {"pools.0.backends.0.sessions_total", "12"},
        {"pools.0.backends.0.failed_total", "1"},
        {"pools.0.backends.0.flows_total", "3"},
        {"pools.0.backends.0.bytes_in", "1000"},
        {"pools.0.backends.0.bytes_out", "20000"},
        {"pools.0.backends.0.datagrams_in", "5"},
        {"pools.0.backends.0.probes", "60"},
        {"pools.0.backends.0.connect_failures", "5"},
        {"pools.0.backends.0.retries", "6"},
        {"pools.0.backends.0.replays", "7"},
        {"pools.0.backends.0.ejections", "8"},
        {"pools.0.backends.0.evicted", "9"},
        {"pools.0.backends.0.probe_ms", "1.25"},
        {"pools.0.backends.0.heard_s", "null"},
        {"pools.0.backends.0.connect_ms.count", "12"},
        {"pools.0.backends.0.connect_ms.sum", "15.0"},
        {"pools.0.backends.0.connect_ms.p50", "0.3"}, /* 6 of the 10 values between 0 and 0.5 ms */
        {"pools.0.backends.0.connect_ms.p99", "4.85"}, /* 1.88 of the 2 values between 2.5 and 5 ms */
        {"pools.0.backends.1.state", "\"down\""},
        {"pools.0.backends.1.reason", "\"connection ?refused ?\""},
        {"pools.0.backends.1.since_s", "1.5"},
        {"pools.0.backends.1.serves", "false"},
        {"pools.0.backends.1.max_connections", "0"},
        {"pools.0.backends.1.probe_ms", "null"},
        {"pools.0.backends.1.heard_s", "1.0"},
        {"pools.1.backends.1.name", "\"b1\""},
    };
    struct report_fixture *fixture = make_report();
    json_t *json = api_report_pools(&fixture->report, NULL);

    (void)state;
    ASSERT_VALUES(json, rows);
    assert_int_equal(json_array_size(json_object_get(json, "pools")), 2);
    json_decref(json);
    report_fixture_free(fixture);
}

static void one_pool_can_be_asked_for(void **state)
{
    static const struct expected one[] = {{"pools.0.name", "\"p1\""}, {"pools.1", "(missing)"}}, none[] = {{"pools", "[]"}};
    struct report_fixture *fixture = make_report();
    json_t *json = api_report_pools(&fixture->report, "p1");

    (void)state;
    ASSERT_VALUES(json, one);
    json_decref(json);
    json = api_report_pools(&fixture->report, "p");
    ASSERT_VALUES(json, none);
    json_decref(json);
    report_fixture_free(fixture);
}

static void times_without_a_value_are_null(void **state)
{
    static const struct expected rows[] = {
        {"pools.0.backends.0.first_byte_ms.count", "0"},
        {"pools.0.backends.0.first_byte_ms.sum", "0.0"},
        {"pools.0.backends.0.first_byte_ms.p50", "null"},
        {"pools.0.backends.0.first_byte_ms.p99", "null"},
    };
    struct report_fixture *fixture = make_report();
    json_t *json;

    (void)state;
    fixture->backends[0].traffic.first_byte = (struct report_histogram){0};
    json = api_report_pools(&fixture->report, NULL);
    ASSERT_VALUES(json, rows);
    json_decref(json);
    report_fixture_free(fixture);
}

static void listeners_say_why_clients_were_refused(void **state)
{
    static const struct expected rows[] = {
        {"listeners.0.name", "\"web\""},
        {"listeners.0.pool", "\"p0\""},
        {"listeners.0.protocol", "\"tcp\""},
        {"listeners.0.sessions", "7"},
        {"listeners.0.sessions_max", "1000"},
        {"listeners.0.accepted", "12"},
        {"listeners.0.refused.no_backend", "2"},
        {"listeners.0.refused.flow_rate", "0"},
        {"listeners.0.ends.CD", "5"},
        {"listeners.0.ends.--", "0"},
        {"listeners.0.bytes_in", "1000"},
        {"listeners.0.session_ms.count", "12"},
        {"listeners.0.session_ms.p99", "600000.0"}, /* the last bucket counts as its lower bound */
    };
    struct report_fixture *fixture = make_report();
    json_t *json = api_report_listeners(&fixture->report);

    (void)state;
    ASSERT_VALUES(json, rows);
    json_decref(json);
    report_fixture_free(fixture);
}

static void workers_are_numbered(void **state)
{
    static const struct expected rows[] = {{"workers.0.worker", "0"}, {"workers.0.sessions", "4"}, {"workers.1.worker", "1"}, {"workers.1.accepted", "2"}};
    struct report_fixture *fixture = make_report();
    json_t *json = api_report_workers(&fixture->report);

    (void)state;
    ASSERT_VALUES(json, rows);
    json_decref(json);
    report_fixture_free(fixture);
}

static void events_begin_after_the_last_known_one(void **state)
{
    static const struct expected rows[] = {
        {"events.0.id", "4"},
        {"events.0.time", "\"2026-11-28T21:00:00.250Z\""},
        {"events.0.pool", "\"p0\""},
        {"events.0.backend", "\"b1\""},
        {"events.0.text", "\"down\""},
        {"events.1.backend", "null"},
        {"events.2", "(missing)"},
    };
    struct report_line lines[] = {
        {.id = 3, .pool = "p0", .backend = "b0", .text = "up"},
        {.id = 4, .time = {1795899600, 250000000}, .pool = "p0", .backend = "b1", .text = "down"},
        {.id = 5, .pool = "p0", .backend = "", .text = "no backend is usable"},
    };
    struct report_fixture *fixture = make_report();
    json_t *json;

    (void)state;
    fixture->report.lines = lines;
    fixture->report.line_count = 3;
    json = api_report_events(&fixture->report, 3);
    ASSERT_VALUES(json, rows);
    json_decref(json);
    report_fixture_free(fixture);
}

static void status_is_about_the_process(void **state)
{
    static const struct expected rows[] = {
        {"version", "\"1.2.3\""},
        {"started", "\"2026-11-28T21:00:00.000Z\""},
        {"uptime_s", "9.0"},
        {"engine", "\"epoll\""},
        {"workers", "2"},
        {"config_hash", "\"00000000000000ff\""},
        {"state", "\"running\""},
        {"sessions", "7"},
        {"sessions_max", "5000"},
        {"flows_max", "100"},
        {"log_lines_dropped", "0"},
        {"access_log_lines_dropped", "41"},
    };
    static const struct api_process process = {
        .version = "1.2.3", .engine = "epoll", .config_file = "/etc/p.ini", .log_level = "info", .state = "running", .config_hash = 255,
        .started = {1795899600, 0}, .started_ns = 1000000000, .sessions_max = 5000, .flows_max = 100,
    };
    struct report_fixture *fixture = make_report();
    json_t *json = api_report_status(&fixture->report, &process);

    (void)state;
    ASSERT_VALUES(json, rows);
    json_decref(json);
    report_fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_have_their_backends),
        cmocka_unit_test(one_pool_can_be_asked_for),
        cmocka_unit_test(times_without_a_value_are_null),
        cmocka_unit_test(listeners_say_why_clients_were_refused),
        cmocka_unit_test(workers_are_numbered),
        cmocka_unit_test(events_begin_after_the_last_known_one),
        cmocka_unit_test(status_is_about_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
