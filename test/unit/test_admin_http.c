/* test/unit/test_admin_http.c: targets of requests are split and decoded within their bounds, errors are JSON, and each path and method gets its handler or the
 * status that says why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/http.h"
#include "admin/readiness.h"
#include "admin/routes.h"
#include "report_fixture.h"

static struct http_request request;
static struct http_answer answer;

static int clear_answer(void **state)
{
    (void)state;
    http_answer_deinit(&answer);
    return 0;
}

static void test_splits_and_decodes(void **state)
{
    (void)state;
    assert_int_equal(http_request_parse(&request, "PATCH", "/v1/pools/a%2Fb%20c/?x=1+2&y&&x=%3d%26&=v"), 0);
    assert_int_equal(request.method, HTTP_PATCH);
    assert_int_equal(request.segment_count, 3);
    assert_string_equal(request.segments[2], "a/b c");
    assert_int_equal(request.argument_count, 4);
    assert_string_equal(request.arguments[0].value, "1 2");
    assert_string_equal(request.arguments[1].name, "y");
    assert_string_equal(request.arguments[1].value, "");
    assert_string_equal(request.arguments[2].value, "=&");
    assert_string_equal(request.arguments[3].name, "");
    assert_ptr_equal(http_request_argument(&request, "x"), request.arguments[0].value);
    assert_null(http_request_argument(&request, "z"));
    assert_int_equal(http_request_parse(&request, "HEAD", "/"), 0);
    assert_int_equal(request.method, HTTP_GET);
    assert_int_equal(request.segment_count, 0);
}

static void test_refuses_bad_targets(void **state)
{
    static const char *const bad[] = {"", "*", "http://a/", "x/y", "/%", "/%4", "/%4x", "/%x4", "/a%00b", "/a?%", "/a?b=%zz", "/a?b%00=1", "/a?b=%00",
                                      "/1/2/3/4/5/6/7/8/9", "/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17"};
    char text[HTTP_TARGET_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (http_request_parse(&request, "GET", bad[i]) != 400)
            fail_msg("%s was not refused", bad[i]);
    }
    assert_int_equal(http_request_parse(&request, "GET", "/1/2/3/4/5/6/7/8?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16"), 0);
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    text[HTTP_TARGET_BYTES] = '\0';
    assert_int_equal(http_request_parse(&request, "GET", text), 414);
    text[HTTP_TARGET_BYTES - 1] = '\0';
    assert_int_equal(http_request_parse(&request, "GET", text), 0);
    assert_int_equal(strlen(request.segments[0]), HTTP_TARGET_BYTES - 2);
    assert_int_equal(http_request_parse(&request, "BREW", "/"), 501);
    assert_int_equal(http_request_parse(&request, "get", "/"), 501);
}

static void test_allows_only_the_named_arguments_once(void **state)
{
    static const char *const names[] = {"pool", "level"};

    (void)state;
    assert_int_equal(http_request_parse(&request, "GET", "/m?level=x&pool="), 0);
    assert_true(http_request_allow(&request, names, 2, &answer));
    assert_int_equal(answer.status, 0);
    assert_int_equal(http_request_parse(&request, "GET", "/m?level=x&level=x"), 0);
    assert_false(http_request_allow(&request, names, 2, &answer));
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.body, "{\"error\":\"the query has two values of \\\"level\\\"\"}");
    assert_int_equal(http_request_parse(&request, "GET", "/m?po%0aol=x"), 0);
    assert_false(http_request_allow(&request, names, 2, &answer));
    assert_string_equal(answer.body, "{\"error\":\"the query has an unknown name \\\"po?ol\\\"\"}");
}

static void test_answers_own_their_bodies(void **state)
{
    (void)state;
    http_answer_body(&answer, 201, HTTP_TYPE_TEXT, strdup("first"), 5);
    assert_int_equal(answer.status, 201);
    http_answer_body(&answer, 200, HTTP_TYPE_TEXT, NULL, 0);
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "{\"error\":\"out of memory\"}");
    assert_int_equal(answer.body_bytes, strlen(answer.body));
}

static unsigned status_of(const char *method, const char *target, bool read_only)
{
    const struct route *route;

    http_answer_deinit(&answer);
    assert_int_equal(http_request_parse(&request, method, target), 0);
    route = route_find(&request, read_only, &answer);
    assert_true(!route == (answer.status != 0));
    return answer.status;
}

static void test_finds_routes(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/healthz", false), 0);
    assert_int_equal(status_of("HEAD", "/healthz?anything", true), 0);
    assert_int_equal(status_of("GET", "/healthz/more", false), 404);
    assert_int_equal(status_of("GET", "/health", false), 404);
    assert_int_equal(status_of("GET", "/healthzz", false), 404);
    assert_int_equal(status_of("GET", "//healthz", false), 404);
    assert_int_equal(status_of("POST", "/nothing", false), 404);
    assert_int_equal(status_of("POST", "/healthz", true), 403);
    assert_int_equal(status_of("POST", "/healthz", false), 405);
    assert_string_equal(answer.allow, "GET, HEAD");
}

static void test_tells_whether_it_is_ready(void **state)
{
    struct admin_service service = {.state = ADMIN_STARTING};
    const struct route *route;

    (void)state;
    assert_int_equal(http_request_parse(&request, "GET", "/readyz"), 0);
    route = route_find(&request, true, &answer);
    assert_non_null(route);
    for (unsigned i = ADMIN_STARTING; i <= ADMIN_DRAINING; i++) {
        service.state = (enum admin_state)i;
        route->handle(&service, &request, &answer);
        assert_int_equal(answer.status, i == ADMIN_RUNNING ? 200 : 503);
        assert_int_equal(answer.body_bytes, strlen(answer.fixed_body));
    }
}

static void test_tells_whether_a_pool_is_ready(void **state)
{
    struct report_fixture *fixture = report_fixture_new(2, 1, "p", "b");

    (void)state;
    readiness_answer_pool(&fixture->report, "p1", &answer);
    assert_int_equal(answer.status, 200);
    fixture->pools[1].service = "none";
    readiness_answer_pool(&fixture->report, "p1", &answer);
    assert_int_equal(answer.status, 503);
    fixture->pools[1].leaving = true;
    readiness_answer_pool(&fixture->report, "p1", &answer);
    assert_int_equal(answer.status, 404);
    report_fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits_and_decodes),
        cmocka_unit_test(test_refuses_bad_targets),
        cmocka_unit_test_teardown(test_allows_only_the_named_arguments_once, clear_answer),
        cmocka_unit_test_teardown(test_answers_own_their_bodies, clear_answer),
        cmocka_unit_test_teardown(test_finds_routes, clear_answer),
        cmocka_unit_test_teardown(test_tells_whether_it_is_ready, clear_answer),
        cmocka_unit_test_teardown(test_tells_whether_a_pool_is_ready, clear_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
