/* test_top_model: the rates and means that `penstock top` shows, over restarts and changed lists. */
#include "cli/top_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define S UINT64_C(1000000000)

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);

    if (!json)
        fail_msg("%s: %s", error.text, text);
    return json;
}

static json_t *status_of(int pid)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:i}", "pid", pid, "started", "2026-11-28T10:00:00Z", "version", "1", "engine", "epoll", "state", "running",
                     "sessions", 7, "uptime_s", 60);
}

/* A backend whose counters are all multiples of `n`. */
static json_t *backend_of(const char *name, int n)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i}, s:{s:i, s:f}}", "name", name, "address", "10.0.0.1:80", "state", "up",
                     "reason", "", "sessions", n % 7, "weight", 3, "sessions_total", 10 * n, "flows_total", 0, "bytes_out", 1000 * n, "failed_total", 2 * n,
                     "connect_failures", n, "connect_ms", "count", 0, "sum", 0, "first_byte_ms", "count", n, "sum", 25.0 * n);
}

static json_t *pools_of(json_t *a, json_t *b)
{
    json_t *backends = json_array();

    if (a)
        assert_int_equal(json_array_append_new(backends, a), 0);
    if (b)
        assert_int_equal(json_array_append_new(backends, b), 0);
    return json_pack("{s:[{s:s, s:s, s:s, s:i, s:o}]}", "pools", "name", "main", "balance", "least_conn", "service", "primaries", "sessions", 5, "backends", backends);
}

static void take(struct top_model *model, int pid, json_t *pools, int n, uint64_t now_ns)
{
    struct top_answers answers = {
        .status = status_of(pid),
        .pools = pools,
        .workers = json_pack("{s:[{s:i, s:f}]}", "workers", "sessions", 4, "cpu_s", 0.5 * n),
        .listeners = json_pack("{s:[{s:s, s:i, s:i, s:i}]}", "listeners", "name", "web", "accepted", 20 * n, "bytes_in", 100 * n, "bytes_out", 2000 * n),
    };

    assert_int_equal(top_model_take(model, &answers, now_ns), 0);
}

static void the_first_answers_have_no_rates(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 10), NULL), 10, 5 * S);
    assert_int_equal(model.row_count, 2);
    assert_null(model.rows[0].backend);
    assert_string_equal(model.rows[0].pool, "main");
    assert_string_equal(model.rows[1].backend, "a");
    assert_int_equal(model.rows[1].sessions, 3);
    assert_true(model.rows[1].new_rate == 0 && model.rows[1].first_byte_ms < 0 && model.new_rate == 0);
    assert_int_equal(model.sessions, 7);
    top_model_clear(&model);
}

static void rates_are_per_second(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 10), backend_of("b", 0)), 10, 5 * S);
    take(&model, 1, pools_of(backend_of("a", 14), backend_of("b", 2)), 14, 7 * S);
    assert_true(model.rows[1].new_rate == 20);
    assert_true(model.rows[1].out_rate == 2000);
    assert_true(model.rows[1].failed_rate == 6);
    assert_true(model.rows[1].first_byte_ms == 25);
    assert_true(model.rows[1].connect_ms < 0);
    assert_true(model.rows[0].new_rate == 30); /* both */
    assert_true(model.new_rate == 40 && model.in_rate == 200 && model.out_rate == 4000 && model.failed_rate == 9);
    assert_int_equal(model.worker_count, 1);
    assert_true(model.workers[0].cpu == 1);
    top_model_clear(&model);
}

static void a_mean_stays_while_nothing_new_comes(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 10), NULL), 10, 5 * S);
    take(&model, 1, pools_of(backend_of("a", 14), NULL), 14, 6 * S);
    take(&model, 1, pools_of(backend_of("a", 14), NULL), 14, 7 * S);
    assert_true(model.rows[1].first_byte_ms == 25);
    assert_true(model.rows[1].new_rate == 0);
    top_model_clear(&model);
}

static void another_process_begins_again(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 10), NULL), 10, 5 * S);
    take(&model, 2, pools_of(backend_of("a", 100), NULL), 100, 6 * S);
    assert_true(model.rows[1].new_rate == 0 && model.rows[1].first_byte_ms < 0);
    take(&model, 2, pools_of(backend_of("a", 90), NULL), 90, 7 * S); /* a counter that decreases has no rate */
    assert_true(model.rows[1].new_rate == 0);
    top_model_clear(&model);
}

static void a_backend_that_is_new_has_no_rate_yet(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 10), NULL), 10, 5 * S);
    take(&model, 1, pools_of(backend_of("b", 50), backend_of("a", 11)), 11, 6 * S);
    assert_string_equal(model.rows[1].backend, "b");
    assert_true(model.rows[1].new_rate == 0);
    assert_true(model.rows[2].new_rate == 10);
    top_model_clear(&model);
}

static void backends_are_sorted_in_their_pool(void **state)
{
    struct top_model model = {0};

    (void)state;
    take(&model, 1, pools_of(backend_of("a", 1), backend_of("b", 5)), 1, 5 * S);
    top_model_sort(&model, TOP_BY_NAME);
    assert_string_equal(model.rows[1].backend, "a");
    top_model_sort(&model, TOP_BY_SESSIONS);
    assert_null(model.rows[0].backend);
    assert_string_equal(model.rows[1].backend, "b");
    assert_string_equal(model.rows[2].backend, "a");
    top_model_clear(&model);
}

/* The answers come from the network: whatever they are, there is something to show. */
static void strange_answers_count_as_nothing(void **state)
{
    struct top_model model = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct top_answers answers = {.status = parse("[]"), .pools = parse("{\"pools\": [1, {\"backends\": 5}, {\"name\": 3, \"backends\": [null, {\"name\": []}]}]}"),
                                      .workers = parse("{\"workers\": {}}"), .listeners = parse("[1]")};

        assert_int_equal(top_model_take(&model, &answers, (uint64_t)(i + 1) * S), 0);
    }
    assert_int_equal(model.row_count, 5);
    assert_string_equal(model.rows[0].pool, "");
    assert_string_equal(model.version, "");
    top_model_clear(&model);
    top_model_clear(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answers_have_no_rates),
        cmocka_unit_test(rates_are_per_second),
        cmocka_unit_test(a_mean_stays_while_nothing_new_comes),
        cmocka_unit_test(another_process_begins_again),
        cmocka_unit_test(a_backend_that_is_new_has_no_rate_yet),
        cmocka_unit_test(backends_are_sorted_in_their_pool),
        cmocka_unit_test(strange_answers_count_as_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
