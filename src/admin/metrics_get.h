/* admin/metrics_get.h: answers GET /metrics: gathers what admin/metrics.h needs. Admin thread. */
#ifndef ADMIN_METRICS_GET_H
#define ADMIN_METRICS_GET_H

#include "admin/routes.h"

void metrics_get(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

#endif
