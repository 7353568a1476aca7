/* test_metrics_get: GET /metrics answers with the metrics of a report, or with the status and the sentence that say why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/routes.h"
#include "pools.h"
#include "table/report.h"

/* What the rest of the process answers. */
static struct pools pools;
static int report_result, hash_result;

static int give_report(void *context, struct report **report)
{
    const struct report_sources sources = {.table = pools.table};
    (void)context;
    return report_result ? report_result : report_take(&sources, report);
}

static int give_hash(void *context, char **text, uint64_t *hash)
{
    (void)context;
    assert_null(text); /* costs more than the hash alone */
    *hash = 0xabc;
    return hash_result;
}

static const struct admin_links links = {.report = give_report, .configuration = give_hash};

/* Returns the answer to GET `target`, with a terminated body. */
static struct http_answer ask(const char *target)
{
    const struct admin_service service = {.facts = {.version = "9.8", .engine = "epoll", .sessions_max = 44, .started = {.tv_sec = 5, .tv_nsec = 250000000}},
                                          .links = &links, .state = ADMIN_RUNNING};
    struct http_request request = {0};
    struct http_answer answer = {0};

    assert_int_equal(http_request_parse(&request, "GET", target), 0);
    const struct route *route = route_find(&request, true, &answer);
    assert_non_null(route);
    route->handle(&service, &request, &answer);
    assert_non_null(answer.body);
    answer.body = realloc(answer.body, answer.body_bytes + 1);
    answer.body[answer.body_bytes] = '\0';
    return answer;
}

static void require_answer(const char *target, unsigned status, const char *present, const char *absent)
{
    struct http_answer answer = ask(target);

    if (answer.status != status || !strstr(answer.body, present) || (absent && strstr(answer.body, absent)))
        fail_msg("%s: status %u: %s", target, answer.status, answer.body);
    assert_string_equal(answer.type, status == 200 ? "text/plain; version=0.0.4; charset=utf-8" : HTTP_TYPE_JSON);
    http_answer_deinit(&answer);
}

static void a_scrape_has_the_facts_and_the_report(void **state)
{
    (void)state;
    require_answer("/metrics", 200, "penstock_build_info{version=\"9.8\"} 1\n", NULL);
    require_answer("/metrics", 200, "penstock_engine_info{engine=\"epoll\"} 1\n", NULL);
    require_answer("/metrics", 200, "penstock_config_info{hash=\"0000000000000abc\"} 1\n", NULL);
    require_answer("/metrics", 200, "process_start_time_seconds 5.25\n", NULL);
    require_answer("/metrics", 200, "penstock_max_connections 44\n", "penstock_max_flows");
    require_answer("/metrics", 200, "penstock_ready 1\n", "process_resident_memory_bytes 0\n");
    require_answer("/metrics", 200, "penstock_backend_state{pool=\"p\",backend=\"b1\"} 2\n", "process_cpu_seconds_total 0\n");
}

static void arguments_are_passed_on(void **state)
{
    (void)state;
    require_answer("/metrics?level=pool&pool=p", 200, "penstock_pool_sessions{pool=\"p\"}", "penstock_backend_");
    require_answer("/metrics?histograms=backend", 200, "penstock_backend_connect_seconds_bucket{", NULL);
    require_answer("/metrics?level=x", 400, "level is one of", NULL);
    require_answer("/metrics?levels=pool", 400, "the arguments are", NULL);
    require_answer("/metrics?pool=p&pool=q%22", 404, "there is no pool q\\\"", NULL);
}

static void failures_say_why(void **state)
{
    (void)state;
    report_result = -ETIMEDOUT;
    require_answer("/metrics", 503, "too busy to answer", NULL);
    report_result = -ENOMEM;
    require_answer("/metrics", 503, "emory", NULL);
    report_result = 0;
    hash_result = -ETIMEDOUT;
    require_answer("/metrics", 200, "penstock_build_info", "penstock_config_info");
    hash_result = 0;
}

static int open_pools(void **state)
{
    (void)state;
    pools_init(&pools, CONFIG_BALANCE_LEAST_CONN, 2);
    pools_open(&pools);
    return 0;
}

static int close_pools(void **state)
{
    (void)state;
    pools_close(&pools);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scrape_has_the_facts_and_the_report),
        cmocka_unit_test(arguments_are_passed_on),
        cmocka_unit_test(failures_say_why),
    };
    return cmocka_run_group_tests(tests, open_pools, close_pools);
}
