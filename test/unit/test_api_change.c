/* test_api_change.c: requests that change backends or the log level, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "api_calls.h"
#include "config/edit.h"

/* What the links are to answer, and what they were asked. */
static struct {
    int result;
    const char *error;
    char asked[400];
} world;

static int give_change(void *context, const struct config_edit *edit, char *error, size_t error_bytes)
{
    (void)context;
    snprintf(world.asked, sizeof(world.asked), "%d %s/%s %s %s %s", edit->kind, edit->pool, edit->backend, edit->address ? edit->address : "-",
             edit->state ? edit->state : "-", edit->weight ? edit->weight : "-");
    snprintf(error, error_bytes, "%s", world.error ? world.error : "");
    return world.result;
}

static int give_log_level(void *context, enum log_level level)
{
    (void)context;
    snprintf(world.asked, sizeof(world.asked), "level %d", level);
    return 0;
}

static const struct admin_links links = {.change = give_change, .log_level = give_log_level};

static void changes_reach_the_configuration(void **state)
{
    static const struct {
        const char *method, *target, *body, *asked, *answer;
    } rows[] = {
        {"POST", "/v1/pools/p/backends", "{\"name\": \"b\", \"address\": \"1.2.3.4:5\", \"weight\": 2}", "0 p/b 1.2.3.4:5 - 2",
         "201 {\"pool\":\"p\",\"backend\":\"b\",\"address\":\"1.2.3.4:5\",\"options\":{\"weight\":\"2\"}}"},
        {"PATCH", "/v1/pools/p/backends/b", "{\"state\": \"drain\"}", "2 p/b - drain -", "200 {\"pool\":\"p\",\"backend\":\"b\",\"options\":{\"state\":\"drain\"}}"},
        {"PATCH", "/v1/pools/p/backends/%2e%2E", "{\"state\": \"maint\"}", "2 p/.. - maint -",
         "200 {\"pool\":\"p\",\"backend\":\"..\",\"options\":{\"state\":\"maint\"}}"},
        {"DELETE", "/v1/pools/p/backends/b", "", "1 p/b - - -", "200 {\"pool\":\"p\",\"backend\":\"b\"}"},
        {"PUT", "/v1/log-level", "{\"level\": \"debug\"}", "level 3", "200 {\"level\":\"debug\"}"},
        {"PATCH", "/v1/pools/p/backends/b", "{\"stat\": 1}", "", "400 {\"error\":\"unknown member \\\"stat\\\"; did you mean \\\"state\\\"?\"}"},
        {"PATCH", "/v1/pools/p/backends/b?x=1", "{\"state\": \"drain\"}", "", "400"},
        {"DELETE", "/v1/pools/p/backends/b", "{}", "", "400 {\"error\":\"this request has no body\"}"},
        {"PUT", "/v1/log-level", "{\"level\": 7}", "", "400"},
        {"PUT", "/v1/pools/p/backends/b", "{\"weight\": 1}", "", "405"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answer;

        world.asked[0] = '\0';
        answer = send_request(&links, rows[i].method, rows[i].target, rows[i].body);

        assert_string_equal(world.asked, rows[i].asked);
        assert_answer(answer, rows[i].answer);
    }
}

static void refusals_have_a_status_and_a_sentence(void **state)
{
    static const struct {
        int result;
        const char *error, *answer;
    } rows[] = {
        {-EINVAL, "weight=0: not from 1 to 256", "400 {\"error\":\"weight=0: not from 1 to 256\"}"},
        {-ENOENT, "there is no pool p", "404 {\"error\":\"there is no pool p\"}"},
        {-EEXIST, "taken", "409 {\"error\":\"taken\"}"},
        {-EBUSY, "the only one", "409 {\"error\":\"the only one\"}"},
        {-ENOMEM, "", "503 {\"error\":\"Cannot allocate memory\"}"},
        {-ETIMEDOUT, "", "503 {\"error\":\"penstock is too busy to answer now, and has done nothing; try again\"}"},
    };
    static const struct admin_links no_links;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world.result = rows[i].result;
        world.error = rows[i].error;
        assert_string_equal(send_request(&links, "PATCH", "/v1/pools/p/backends/b", "{\"weight\": 1}"), rows[i].answer);
    }
    world.result = 0;
    world.error = NULL;
    assert_answer(send_request(&no_links, "DELETE", "/v1/pools/p/backends/b", ""), "501");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_reach_the_configuration),
        cmocka_unit_test(refusals_have_a_status_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
