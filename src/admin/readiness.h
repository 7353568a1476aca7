/* admin/readiness.h: /healthz and /readyz, as Kubernetes and keepalived ask for them. Admin thread. */
#ifndef ADMIN_READINESS_H
#define ADMIN_READINESS_H

#include "admin/routes.h"

struct report;

/* Whether the process works: always 200. */
void readiness_healthz(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

/* Whether the process is to get new clients: 200, or 503 while it starts, is about to stop, or drains. With ?pool=NAME, also 503 if no backend of that pool
 * takes new sessions, and 404 if there is no such pool. */
void readiness_readyz(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);

/* The answer for a pool, while the process runs. Any thread. */
void readiness_answer_pool(const struct report *report, const char *name, struct http_answer *answer);

#endif
