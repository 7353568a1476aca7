/* admin/api_report.h: a report as JSON, for GET /v1/pools and the like. etc/openapi.yaml describes every member. Pure functions; any thread, in practice the
 * admin thread.
 *
 * Each function returns a new reference, or NULL if out of memory. Durations are numbers of milliseconds or seconds, as the end of a member's name says.
 * In text that is not valid UTF-8, '?' takes the place of the wrong bytes. */
#ifndef ADMIN_API_REPORT_H
#define ADMIN_API_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

struct report;

/* What is known about the process without a report. Strings are borrowed. */
struct api_process {
    const char *version, *engine, *config_file, *log_level;
    const char *state;        /* "running", "lame_duck" or "draining" */
    uint64_t config_hash;
    struct timespec started;  /* of CLOCK_REALTIME */
    uint64_t started_ns;      /* the same moment, of clock_now_ns() */
    uint32_t sessions_max, flows_max;
};

json_t *api_report_status(const struct report *report, const struct api_process *process);

/* `pool`: only the pools with this name, so that none means that there is none; NULL: all. */
json_t *api_report_pools(const struct report *report, const char *pool);
json_t *api_report_listeners(const struct report *report);
json_t *api_report_workers(const struct report *report);

/* The lines whose id is greater than `since`. */
json_t *api_report_events(const struct report *report, uint64_t since);

#endif
