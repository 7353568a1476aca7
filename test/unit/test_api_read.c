/* test_api_read.c: the paths that are read, called as the server calls them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "api_calls.h"
#include "pools.h"
#include "table/report.h"

static int link_result;

/* `context`: struct pools. */
static int give_report(void *context, struct report **report)
{
    const struct report_sources sources = {.table = ((struct pools *)context)->table};

    return link_result ? link_result : report_take(&sources, report);
}

static int give_configuration(void *context, char **text, uint64_t *hash)
{
    (void)context;
    *hash = 1;
    if (text && link_result == 0)
        *text = strdup("[global]\n");
    return link_result;
}

static void reports_are_answered(void **state)
{
    static const struct {
        const char *target, *answer;
    } rows[] = {
        {"/v1/status", "200 {\"version\":\"1\",\"pid\":"},
        {"/v1/pools", "200 {\"pools\":[{\"name\":\"p\",\"balance\":\"least_conn\","},
        {"/v1/pools?pool=p", "200 {\"pools\":[{\"name\":\"p\","},
        {"/v1/pools?pool=q", "404 {\"error\":\"there is no pool \\\"q\\\"\"}"},
        {"/v1/pools?pools=p", "400 {\"error\":"},
        {"/v1/listeners", "200 {\"listeners\":[]}"},
        {"/v1/listeners?x=1", "400 {\"error\":"},
        {"/v1/workers", "200 {\"workers\":[]}"},
        {"/v1/events", "200 {\"events\":[]}"},
        {"/v1/events?since=7", "200 {\"events\":[]}"},
        {"/v1/events?since=x", "400 {\"error\":\"since=x: not the id of an event\"}"},
    };
    struct pools p;
    const struct admin_links links = {.context = &p, .report = give_report, .configuration = give_configuration}, no_links = {0};

    (void)state;
    pools_init(&p, CONFIG_BALANCE_LEAST_CONN, 1);
    pools_open(&p);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_answer(send_request(&links, "GET", rows[i].target, ""), rows[i].answer);
    assert_answer(send_request(&no_links, "GET", "/v1/pools", ""), "501 {\"error\":");
    link_result = -ETIMEDOUT;
    assert_answer(send_request(&links, "GET", "/v1/pools", ""), "503 {\"error\":\"penstock is too busy to answer now, and has done nothing; try again\"}");
    link_result = 0;
    pools_close(&p);
}

static void the_configuration_is_text(void **state)
{
    const struct admin_links links = {.configuration = give_configuration}, no_links = {0};

    (void)state;
    assert_answer(send_request(&links, "GET", "/v1/config", ""), "200 [global]");
    assert_answer(send_request(&links, "GET", "/v1/config?x", ""), "400 {");
    assert_answer(send_request(&no_links, "GET", "/v1/config", ""), "501 {");
    link_result = -ETIMEDOUT;
    assert_answer(send_request(&links, "GET", "/v1/config", ""), "503 {");
    link_result = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_are_answered),
        cmocka_unit_test(the_configuration_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
