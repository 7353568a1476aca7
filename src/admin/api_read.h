/* admin/api_read.h: the handlers of GET under /v1, except those about sessions and flows. etc/openapi.yaml describes the paths and the answers.
 * Admin thread. */
#ifndef ADMIN_API_READ_H
#define ADMIN_API_READ_H

#include "admin/routes.h"

struct report;

/* Takes a report, which the caller frees with report_free(). Returns NULL after answering why there is none. */
struct report *api_read_report(const struct admin_service *service, struct http_answer *answer);

void api_read_status(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
void api_read_pools(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
void api_read_listeners(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
void api_read_workers(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
void api_read_events(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
void api_read_config(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

#endif
