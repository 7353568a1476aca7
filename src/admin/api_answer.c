/* admin/api_answer.c: how handlers of the admin API answer. Any thread; owns nothing. */
#include "admin/api_answer.h"

#include <errno.h>
#include <string.h>

#include "admin/api_json.h"

void api_answer_json(struct http_answer *answer, unsigned status, json_t *json)
{
    char *text = json ? json_dumps(json, API_JSON_FLAGS) : NULL;

    json_decref(json);
    http_answer_body(answer, status, HTTP_TYPE_JSON, text, text ? strlen(text) : 0);
}

void api_answer_failure(struct http_answer *answer, int result, const char *text)
{
    unsigned status = result == -EINVAL ? 400 : result == -ENOENT ? 404 : result == -EEXIST || result == -EBUSY ? 409 : 503;

    if (text && *text != '\0')
        http_answer_error(answer, status, "%s", text);
    else if (result == -ETIMEDOUT)
        http_answer_error(answer, status, "penstock is too busy to answer now, and has done nothing; try again");
    else
        http_answer_error(answer, status, "%s", strerror(-result));
}

void api_answer_unable(struct http_answer *answer)
{
    http_answer_error(answer, 501, "this penstock cannot do that");
}

bool api_answer_is_bare(const struct http_request *request, struct http_answer *answer)
{
    if (!http_request_allow(request, NULL, 0, answer))
        return false;
    if (request->body_bytes == 0)
        return true;
    http_answer_error(answer, 400, "this request has no body");
    return false;
}
