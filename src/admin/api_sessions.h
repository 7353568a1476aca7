/* admin/api_sessions.h: the handlers about sessions and flows. etc/openapi.yaml describes the paths, the queries and the answers. Admin thread. */
#ifndef ADMIN_API_SESSIONS_H
#define ADMIN_API_SESSIONS_H

#include "admin/routes.h"

/* GET /v1/sessions */
void api_sessions_list(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* GET /v1/flows */
void api_sessions_list_flows(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* DELETE /v1/sessions: those that match. It is logged, with the process that asked for it. */
void api_sessions_close(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* DELETE /v1/sessions/{id} */
void api_sessions_close_one(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

#endif
