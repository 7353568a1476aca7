/* admin/api_answer.h: how handlers of the admin API answer. Any thread. */
#ifndef ADMIN_API_ANSWER_H
#define ADMIN_API_ANSWER_H

#include <jansson.h>
#include <stdbool.h>

#include "admin/http.h"

/* Answers with `json` and frees it. NULL means that memory ran out: then answers 503. */
void api_answer_json(struct http_answer *answer, unsigned status, json_t *json);

/* Answers with what a function of struct admin_links returned, unless that is 0. `text`: its explanation; NULL: there is none. */
void api_answer_failure(struct http_answer *answer, int result, const char *text);

/* Answers that this process cannot do it, because the function of struct admin_links is NULL. */
void api_answer_unable(struct http_answer *answer);

/* Whether the request has neither a query nor a body. Otherwise answers 400. */
bool api_answer_is_bare(const struct http_request *request, struct http_answer *answer);

#endif
