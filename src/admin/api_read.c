/* admin/api_read.c: answers GET under /v1. Admin thread. Each handler owns what the links give it until it returns. */
#include "admin/api_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api_answer.h"
#include "admin/api_level.h"
#include "admin/api_number.h"
#include "admin/api_report.h"
#include "table/report.h"

/* Refuses a request with arguments. Returns false after answering. */
static bool has_no_arguments(const struct http_request *request, struct http_answer *answer)
{
    return http_request_allow(request, NULL, 0, answer);
}

struct report *api_read_report(const struct admin_service *service, struct http_answer *answer)
{
    struct report *report = NULL;
    int result;

    if (!service->links->report) {
        api_answer_unable(answer);
        return NULL;
    }
    result = service->links->report(service->links->context, &report);
    if (result == 0)
        return report;
    api_answer_failure(answer, result, NULL);
    return NULL;
}

/* Answers with what `make` makes of a report. */
static void answer_report(const struct admin_service *service, const struct http_request *request, struct http_answer *answer,
                          json_t *(*make)(const struct report *))
{
    struct report *report = has_no_arguments(request, answer) ? api_read_report(service, answer) : NULL;

    if (report)
        api_answer_json(answer, 200, make(report));
    report_free(report);
}

void api_read_listeners(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    answer_report(service, request, answer, api_report_listeners);
}

void api_read_workers(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    answer_report(service, request, answer, api_report_workers);
}

void api_read_status(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    static const char *const states[] = {
        [ADMIN_STARTING] = "starting",
        [ADMIN_RUNNING] = "running",
        [ADMIN_LAME_DUCK] = "lame_duck",
        [ADMIN_DRAINING] = "draining",
    };
    struct api_process process = {
        .version = service->facts.version,
        .engine = service->facts.engine,
        .config_file = service->facts.config_path,
        .log_level = api_level_word(log_level_now()),
        .state = states[service->state],
        .started = service->facts.started,
        .started_ns = service->facts.started_ns,
        .sessions_max = service->facts.sessions_max,
        .flows_max = service->facts.flows_max,
    };
    struct report *report;

    if (!has_no_arguments(request, answer) || !(report = api_read_report(service, answer)))
        return;
    if (service->links->configuration) {
        int result = service->links->configuration(service->links->context, NULL, &process.config_hash);
        if (result != 0)
            api_answer_failure(answer, result, NULL);
    }
    if (answer->status == 0)
        api_answer_json(answer, 200, api_report_status(report, &process));
    report_free(report);
}

void api_read_pools(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    static const char *const names[] = {"pool"};
    const char *pool = http_request_argument(request, "pool");
    struct report *report = http_request_allow(request, names, 1, answer) ? api_read_report(service, answer) : NULL;
    bool found = !pool;

    if (!report)
        return;
    for (size_t i = 0; i < report->pool_count; i++)
        found = found || strcmp(report->pools[i].name, pool) == 0;
    if (found)
        api_answer_json(answer, 200, api_report_pools(report, pool));
    else
        http_answer_error(answer, 404, "there is no pool \"%.80s\"", pool);
    report_free(report);
}

void api_read_events(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    static const char *const names[] = {"since"};
    const char *since = http_request_argument(request, "since");
    struct report *report;
    uint64_t number = 0;

    if (!http_request_allow(request, names, 1, answer))
        return;
    if (since && !api_number_parse(&number, since, 0, UINT64_MAX)) {
        http_answer_error(answer, 400, "since=%.80s: not the id of an event", since);
        return;
    }
    report = api_read_report(service, answer);
    if (report)
        api_answer_json(answer, 200, api_report_events(report, number));
    report_free(report);
}

void api_read_config(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    char *text = NULL;
    uint64_t hash;
    int result;

    if (!has_no_arguments(request, answer))
        return;
    if (!service->links->configuration) {
        api_answer_unable(answer);
        return;
    }
    result = service->links->configuration(service->links->context, &text, &hash);
    if (result == 0)
        http_answer_body(answer, 200, HTTP_TYPE_TEXT, text, text ? strlen(text) : 0); /* owns the text */
    else
        api_answer_failure(answer, result, NULL);
}
