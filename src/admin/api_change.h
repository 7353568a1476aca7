/* admin/api_change.h: the handlers under /v1 that change backends or the log level. Each change is logged once, with the process that asked for it.
 * etc/openapi.yaml describes the paths, the bodies and the answers. Admin thread. */
#ifndef ADMIN_API_CHANGE_H
#define ADMIN_API_CHANGE_H

#include "admin/routes.h"

/* POST /v1/pools/{pool}/backends */
void api_change_add(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* PATCH /v1/pools/{pool}/backends/{backend} */
void api_change_set(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* DELETE /v1/pools/{pool}/backends/{backend} */
void api_change_remove(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
/* PUT /v1/log-level */
void api_change_log_level(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

#endif
