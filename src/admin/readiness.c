/* admin/readiness.c: answers /healthz and /readyz. Admin thread; owns nothing. */
#include "admin/readiness.h"

#include <string.h>

static void answer_text(struct http_answer *answer, unsigned status, const char *text)
{
    *answer = (struct http_answer){.status = status, .type = HTTP_TYPE_TEXT, .fixed_body = text, .body_bytes = strlen(text)};
}

void readiness_healthz(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    (void)service;
    (void)request; /* the probe of a load balancer may add a query of its own */
    answer_text(answer, 200, "ok\n");
}

void readiness_readyz(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    static const char *const texts[] = {
        [ADMIN_STARTING] = "starting\n",
        [ADMIN_RUNNING] = "ready\n",
        [ADMIN_LAME_DUCK] = "about to stop\n",
        [ADMIN_DRAINING] = "draining\n",
    };

    (void)request;
    answer_text(answer, service->state == ADMIN_RUNNING ? 200 : 503, texts[service->state]);
}
