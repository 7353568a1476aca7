/* test/unit/api_calls.h: calls of the admin API without a server. Test thread only. */
#ifndef TEST_UNIT_API_CALLS_H
#define TEST_UNIT_API_CALLS_H

#include <stdio.h>
#include <string.h>

#include "admin/routes.h"

/* Sends a request to a handler as the server does. Returns the answer as "200 BODY", up to its first newline. */
static inline const char *send_request(const struct admin_links *links, const char *method, const char *target, const char *body)
{
    static char text[2000];
    const struct admin_service service = {.facts = {.version = "1", .engine = "epoll", .config_path = "p.ini"}, .links = links, .state = ADMIN_RUNNING};
    struct http_request request;
    struct http_answer answer = {0};
    const struct route *route;

    assert_int_equal(http_request_parse(&request, method, target), 0);
    request.peer = (struct http_peer){.known = true, .uid = 7, .pid = 42};
    request.body = body;
    request.body_bytes = strlen(body);
    route = route_find(&request, false, &answer);
    if (route)
        route->handle(&service, &request, &answer);
    snprintf(text, sizeof(text), "%u %.*s", answer.status, (int)answer.body_bytes, answer.body ? answer.body : answer.fixed_body);
    text[strcspn(text, "\n")] = '\0';
    http_answer_deinit(&answer);
    return text;
}

static inline void assert_answer(const char *answer, const char *beginning)
{
    if (strncmp(answer, beginning, strlen(beginning)) != 0)
        fail_msg("the answer is %s instead of %s", answer, beginning);
}

#endif
