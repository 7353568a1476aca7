/* admin/readiness.c: answers /healthz and /readyz. Admin thread; owns nothing. */
#include "admin/readiness.h"

#include <string.h>

#include "admin/api_read.h"
#include "table/report.h"

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

void readiness_answer_pool(const struct report *report, const char *name, struct http_answer *answer)
{
    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];

        if (pool->leaving || strcmp(pool->name, name) != 0)
            continue;
        if (strcmp(pool->service, "none") == 0)
            answer_text(answer, 503, "no backend takes new sessions\n");
        else
            answer_text(answer, 200, "ready\n");
        return;
    }
    http_answer_error(answer, 404, "there is no pool \"%.100s\"", name);
}

static void answer_for_pool(const struct admin_service *service, const char *name, struct http_answer *answer)
{
    struct report *report = api_read_report(service, answer);

    if (report)
        readiness_answer_pool(report, name, answer);
    report_free(report);
}

void readiness_readyz(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    static const char *const texts[] = {
        [ADMIN_STARTING] = "starting\n",
        [ADMIN_RUNNING] = "ready\n",
        [ADMIN_LAME_DUCK] = "about to stop\n",
        [ADMIN_DRAINING] = "draining\n",
    };
    const char *pool = http_request_argument(request, "pool");

    if (service->state == ADMIN_RUNNING && pool)
        answer_for_pool(service, pool, answer);
    else
        answer_text(answer, service->state == ADMIN_RUNNING ? 200 : 503, texts[service->state]);
}
