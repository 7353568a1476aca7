/* test/unit/report_fixture.h: reports that tests make. All of a report's memory is in one struct; report_fixture_free() frees it. Test thread only. */
#ifndef TEST_UNIT_REPORT_FIXTURE_H
#define TEST_UNIT_REPORT_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table/report.h"

#define FIXTURE_NAME_BYTES 64

struct report_fixture {
    struct report report;
    struct report_listener listener;
    struct report_worker workers[2];
    struct report_pool *pools;
    struct report_backend *backends; /* of all pools, one pool after another */
    char (*names)[FIXTURE_NAME_BYTES];
};

static inline void fixture_count_traffic(struct report_traffic *traffic, uint64_t scale)
{
    traffic->sessions = 12 * scale;
    traffic->sessions_failed = scale;
    traffic->flows = 3 * scale;
    traffic->bytes[0] = 1000 * scale;
    traffic->bytes[1] = 20000 * scale;
    traffic->datagrams[0] = 5 * scale;
    traffic->datagrams[1] = 6 * scale;
    for (size_t i = 0; i < STATS_BUCKETS; i++) {
        traffic->connect.counts[i] = i == 0 ? 10 * scale : i == 3 ? 2 * scale : 0;
        traffic->first_byte.counts[i] = scale;
        traffic->session.counts[i] = i == STATS_BUCKETS - 1 ? 12 * scale : 0;
    }
    traffic->connect.sum_us = 15000 * scale;
    traffic->first_byte.sum_us = 800000001 * scale;
    traffic->session.sum_us = UINT64_C(9000000000) * scale;
}

/* `pool_count` pools of `backend_count` backends each, all up and with the same counts. */
static inline struct report_fixture *report_fixture_new(size_t pool_count, size_t backend_count, const char *pool_name, const char *backend_name)
{
    struct report_fixture *fixture = calloc(1, sizeof(*fixture));
    char (*name)[FIXTURE_NAME_BYTES] = fixture->names = calloc(pool_count * (backend_count + 1), FIXTURE_NAME_BYTES);
    struct report_backend *backend = fixture->backends = calloc(pool_count * backend_count, sizeof(*backend));

    fixture->pools = calloc(pool_count, sizeof(*fixture->pools));
    for (size_t i = 0; i < pool_count; i++) {
        snprintf(*name, FIXTURE_NAME_BYTES, "%s%zu", pool_name, i);
        fixture->pools[i] = (struct report_pool){.name = *name++, .balance = "least_conn", .check = "tcp", .service = "primaries", .sessions = 7,
                                                 .usable = (uint32_t)backend_count, .backends = backend, .backend_count = backend_count};
        for (size_t j = 0; j < backend_count; j++, backend++, name++) {
            snprintf(*name, FIXTURE_NAME_BYTES, "%s%zu", backend_name, j);
            *backend = (struct report_backend){.name = *name, .addr_text = "10.0.0.1:8001", .state_now = REPORT_UP, .reason = "", .serves = true, .weight = 3,
                                               .share_percent = 50, .limit = 100, .limit_now = 80, .slots = 7, .probe_us = 1250,
                                               .events = {60, 4, 3, 5, 6, 7, 8, 9}};
            fixture_count_traffic(&backend->traffic, 1);
        }
    }
    fixture->listener = (struct report_listener){.name = "web", .pool = fixture->pools[0].name, .protocol = "tcp", .sessions = 7, .sessions_max = 1000,
                                                 .accepted = 12};
    fixture->listener.refused[REPORT_REFUSED_NO_BACKEND] = 2;
    fixture->listener.ends[REPORT_END_CD] = 5;
    fixture_count_traffic(&fixture->listener.traffic, 1);
    fixture->workers[0] = (struct report_worker){.sessions = 4, .accepted = 10, .handed_over = 2};
    fixture->workers[1] = (struct report_worker){.sessions = 3, .accepted = 2};
    fixture->report = (struct report){.listeners = &fixture->listener, .listener_count = 1, .pools = fixture->pools, .pool_count = pool_count,
                                      .workers = fixture->workers, .worker_count = 2, .log_dropped = {0, 41}};
    return fixture;
}

static inline void report_fixture_free(struct report_fixture *fixture)
{
    free(fixture->names);
    free(fixture->backends);
    free(fixture->pools);
    free(fixture);
}

#endif
