/* admin/api_query.h: the query of a URL as a question about sessions or flows. Pure functions; any thread, in practice the admin thread. */
#ifndef ADMIN_API_QUERY_H
#define ADMIN_API_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/http.h"
#include "table/survey.h"

/* Reads the query of GET /v1/sessions or /v1/flows. Returns false after answering 400. */
bool api_query_list(struct survey_query *query, bool flows, const struct http_request *request, struct http_answer *answer);

/* Reads the query of DELETE /v1/sessions, which must have at least one argument. Returns false after answering 400. */
bool api_query_close(struct survey_query *query, const struct http_request *request, struct http_answer *answer);

/* Reads the number of a session as in log lines, such as "2.1734". Returns false after answering 400. */
bool api_query_session(struct survey_query *query, const char *id, struct http_answer *answer);

#endif
