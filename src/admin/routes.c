/* admin/routes.c: the paths that the admin thread serves. etc/openapi.yaml describes them. Constant; any thread. */
#include "admin/routes.h"

#include <stdio.h>
#include <string.h>

#include "admin/api_change.h"
#include "admin/api_read.h"
#include "admin/api_sessions.h"
#include "admin/dashboard.h"
#include "admin/metrics_get.h"
#include "admin/readiness.h"

const struct route routes[] = {
    {HTTP_GET, "/", dashboard_get},
    {HTTP_GET, "/healthz", readiness_healthz},
    {HTTP_GET, "/readyz", readiness_readyz},
    {HTTP_GET, "/metrics", metrics_get},
    {HTTP_GET, "/v1/status", api_read_status},
    {HTTP_GET, "/v1/pools", api_read_pools},
    {HTTP_GET, "/v1/listeners", api_read_listeners},
    {HTTP_GET, "/v1/workers", api_read_workers},
    {HTTP_GET, "/v1/events", api_read_events},
    {HTTP_GET, "/v1/config", api_read_config},
    {HTTP_GET, "/v1/sessions", api_sessions_list},
    {HTTP_DELETE, "/v1/sessions", api_sessions_close},
    {HTTP_DELETE, "/v1/sessions/{id}", api_sessions_close_one},
    {HTTP_GET, "/v1/flows", api_sessions_list_flows},
    {HTTP_POST, "/v1/pools/{pool}/backends", api_change_add},
    {HTTP_PATCH, "/v1/pools/{pool}/backends/{backend}", api_change_set},
    {HTTP_DELETE, "/v1/pools/{pool}/backends/{backend}", api_change_remove},
    {HTTP_PUT, "/v1/log-level", api_change_log_level},
};

const size_t route_count = sizeof(routes) / sizeof(routes[0]);

/* Whether the path of the request has the form of the pattern. Sets the request's values. */
static bool match_pattern(struct http_request *request, const char *pattern)
{
    size_t value_count = 0, i = 0;

    for (pattern++; *pattern != '\0'; i++) {
        size_t length = strcspn(pattern, "/");
        const char *segment = i < request->segment_count ? request->segments[i] : "";

        if (*segment == '\0')
            return false;
        if (*pattern == '{')
            request->values[value_count++] = segment;
        else if (strlen(segment) != length || memcmp(segment, pattern, length) != 0)
            return false;
        pattern += length + (pattern[length] == '/' ? 1 : 0);
    }
    return i == request->segment_count;
}

const struct route *route_find(struct http_request *request, bool read_only, struct http_answer *answer)
{
    static const char *const methods[HTTP_METHODS] = {"GET, HEAD", "POST", "PUT", "PATCH", "DELETE"};
    char allow[sizeof(answer->allow)] = "";
    size_t length = 0;

    for (size_t i = 0; i < route_count; i++) {
        if (!match_pattern(request, routes[i].pattern))
            continue;
        if (read_only && routes[i].method != HTTP_GET)
            continue;
        if (routes[i].method == request->method)
            return &routes[i];
        length += (size_t)snprintf(allow + length, sizeof(allow) - length, "%s%s", length > 0 ? ", " : "", methods[routes[i].method]);
    }
    if (read_only && request->method != HTTP_GET) {
        http_answer_error(answer, 403, "changes are possible only on the admin socket");
        return NULL;
    }
    memcpy(answer->allow, allow, sizeof(allow));
    if (length > 0)
        http_answer_error(answer, 405, "this path has only the methods %s", allow);
    else
        http_answer_error(answer, 404, "there is no such path");
    return NULL;
}
