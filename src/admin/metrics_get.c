/* admin/metrics_get.c: answers GET /metrics. Admin thread; owns nothing between calls. */
#include "admin/metrics_get.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/api_read.h"
#include "admin/metrics.h"
#include "table/report.h"

#define TYPE_EXPOSITION "text/plain; version=0.0.4; charset=utf-8"

static uint64_t time_us(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static uint64_t used_cpu_us(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage); /* fails only for wrong arguments */
    return time_us(&usage.ru_utime) + time_us(&usage.ru_stime);
}

/* 0 if the kernel does not say: /proc may not be mounted. */
static uint64_t resident_bytes(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file) {
        if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
            pages = 0;
        (void)fclose(file); /* it was only read */
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool read_query(const struct http_request *request, struct metrics_query *query, struct http_answer *answer)
{
    metrics_query_init(query);
    for (size_t i = 0; i < request->argument_count; i++) {
        const char *problem = metrics_query_add(query, request->arguments[i].name, request->arguments[i].value);
        if (problem) {
            http_answer_error(answer, 400, "%s", problem);
            return false;
        }
    }
    return true;
}

static void answer_report(const struct admin_service *service, const struct report *report, const struct metrics_query *query, struct http_answer *answer)
{
    const char *unknown = metrics_unknown_pool(report, query);
    char hash_text[17] = "";
    uint64_t hash;
    size_t length = 0;

    if (unknown) {
        http_answer_error(answer, 404, "there is no pool %s", unknown);
        return;
    }
    /* Everything else is still worth a scrape if control does not answer in time. */
    if (service->links->configuration && service->links->configuration(service->links->context, NULL, &hash) == 0)
        snprintf(hash_text, sizeof(hash_text), "%016" PRIx64, hash);
    struct metrics_facts facts = {
        .version = service->facts.version, .engine = service->facts.engine, .config_hash = hash_text,
        .started_ms = (uint64_t)service->facts.started.tv_sec * 1000 + (uint64_t)service->facts.started.tv_nsec / 1000000,
        .cpu_us = used_cpu_us(), .resident_bytes = resident_bytes(), .ready = service->state == ADMIN_RUNNING,
        .max_connections = service->facts.sessions_max, .max_flows = service->facts.flows_max,
    };
    char *text = metrics_text(report, &facts, query, &length);
    http_answer_body(answer, 200, TYPE_EXPOSITION, text, length);
}

void metrics_get(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    struct metrics_query query;
    struct report *report;

    if (!read_query(request, &query, answer))
        return;
    report = api_read_report(service, answer);
    if (!report)
        return;
    answer_report(service, report, &query, answer);
    report_free(report);
}
