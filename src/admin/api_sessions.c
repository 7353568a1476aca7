/* admin/api_sessions.c: lists and closes sessions and flows. Admin thread. Each handler owns what the links give it until it returns. */
#include "admin/api_sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "admin/api_answer.h"
#include "admin/api_log.h"
#include "admin/api_query.h"
#include "admin/api_survey.h"

/* Answers that the workers could not list or close all. */
static void answer_failure(struct http_answer *answer, int result)
{
    if (result == -EBUSY)
        http_answer_error(answer, 503, "a worker is busy with other requests of this kind; try again");
    else if (result == -ETIMEDOUT)
        http_answer_error(answer, 503, "a worker did not answer in time, and closes its sessions later");
    else
        api_answer_failure(answer, result, NULL);
}

static void answer_survey(const struct admin_service *service, const struct http_request *request, struct http_answer *answer, bool flows)
{
    struct survey_query query;
    struct survey found = {0};
    int result;

    if (!api_query_list(&query, flows, request, answer))
        return;
    if (!service->links->survey) {
        api_answer_unable(answer);
        return;
    }
    result = service->links->survey(service->links->context, &query, &found);
    if (result == 0)
        api_answer_json(answer, 200, api_survey_rows(&found, flows));
    else
        answer_failure(answer, result);
    survey_free(&found);
}

void api_sessions_list(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    answer_survey(service, request, answer, false);
}

void api_sessions_list_flows(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    answer_survey(service, request, answer, true);
}

/* Writes the query as "pool = web, older = 5m". */
static const char *describe_query(const struct http_request *request, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < request->argument_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s = %s", used > 0 ? ", " : "", request->arguments[i].name, request->arguments[i].value);
    return text;
}

/* Closes the sessions and sets `*closed` to their number. Returns false after answering. */
static bool close_matching(const struct admin_service *service, const struct survey_query *query, uint64_t *closed, struct http_answer *answer)
{
    int result;

    if (!service->links->close) {
        api_answer_unable(answer);
        return false;
    }
    result = service->links->close(service->links->context, query, closed);
    if (result == 0)
        return true;
    answer_failure(answer, result);
    return false;
}

void api_sessions_close(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    struct survey_query query;
    char text[400];
    uint64_t closed = 0;

    if (!api_query_close(&query, request, answer) || !close_matching(service, &query, &closed, answer))
        return;
    api_log_change(request, "%" PRIu64 " sessions closed: %s", closed, describe_query(request, text, sizeof(text)));
    api_answer_json(answer, 200, json_pack("{s:I}", "closed", (json_int_t)closed));
}

void api_sessions_close_one(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    const char *id = request->values[0];
    struct survey_query query;
    uint64_t closed = 0;

    if (!api_answer_is_bare(request, answer) || !api_query_session(&query, id, answer) || !close_matching(service, &query, &closed, answer))
        return;
    if (closed == 0) {
        http_answer_error(answer, 404, "there is no session %.80s", id);
        return;
    }
    api_log_change(request, "session %s: closed", id);
    api_answer_json(answer, 200, json_pack("{s:I}", "closed", (json_int_t)closed));
}
