/* fuzz_admin_request: any method, target and body: the request is split within its bounds, and every route answers it, although the process behind it can do
 * nothing. The input is "METHOD TARGET" in the first line, and the body after it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/http.h"
#include "admin/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_strings(const struct http_request *request)
{
    const char *end = request->text + sizeof(request->text);

    assert(request->segment_count <= HTTP_SEGMENTS_MAX && request->argument_count <= HTTP_ARGUMENTS_MAX);
    for (size_t i = 0; i < request->segment_count; i++)
        assert(request->segments[i] >= request->text && request->segments[i] + strlen(request->segments[i]) < end);
    for (size_t i = 0; i < request->argument_count; i++) {
        assert(request->arguments[i].name >= request->text && request->arguments[i].name < end);
        assert(request->arguments[i].value >= request->text && request->arguments[i].value + strlen(request->arguments[i].value) < end);
    }
}

static void handle_request(struct http_request *request, bool read_only)
{
    const struct admin_links links = {0};
    const struct admin_service service = {.facts = {.version = "0", .engine = "epoll", .config_path = "penstock.ini"}, .links = &links};
    struct http_answer answer = {0};
    const struct route *route = route_find(request, read_only, &answer);

    assert(!route == (answer.status != 0));
    assert(!route || !read_only || route->method == HTTP_GET);
    if (route)
        route->handle(&service, request, &answer);
    assert(answer.status >= 200 && answer.status < 600 && (answer.body || answer.fixed_body || answer.body_bytes == 0));
    http_answer_deinit(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request request;
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t head_bytes = newline ? (size_t)(newline - data) : size, body_bytes = newline ? size - head_bytes - 1 : 0;
    char *head = strndup((const char *)data, head_bytes), *space, *body;

    assert(head);
    space = strchr(head, ' ');
    body = malloc(body_bytes > 0 ? body_bytes : 1); /* exactly as long as the body, so that reading beyond its end is found */
    assert(body);
    if (body_bytes > 0)
        memcpy(body, newline + 1, body_bytes);
    if (space && body_bytes <= HTTP_BODY_BYTES) {
        *space = '\0';
        if (http_request_parse(&request, head, space + 1) == 0) {
            check_strings(&request);
            request.body = body;
            request.body_bytes = body_bytes;
            handle_request(&request, false);
            handle_request(&request, true);
        }
    }
    free(body);
    free(head);
    return 0;
}
