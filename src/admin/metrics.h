/* admin/metrics.h: a report as metrics for Prometheus. Pure functions of their arguments; any thread, in practice the admin thread.
 *
 * metrics_table.h has one row for each metric. penstock-metrics(7) describes them for users, and how much a scrape costs. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report;

/* What a metric is about. A scrape of one level includes the levels before it. */
enum metrics_level { METRICS_PROCESS, METRICS_WORKER, METRICS_LISTENER, METRICS_POOL, METRICS_BACKEND, METRICS_LEVELS };

/* What the report does not say about the process. The strings are borrowed. */
struct metrics_facts {
    const char *version, *engine, *config_hash; /* config_hash: of the configuration in force; "": unknown */
    uint64_t started_ms;                        /* since the epoch of the real-time clock */
    uint64_t cpu_us, resident_bytes;
    bool ready;                                 /* /readyz says yes */
    uint32_t max_connections, max_flows;        /* limits of the process; max_flows: 0 if it has no UDP listener */
};

#define METRICS_POOLS_MAX 16

/* What is asked for. All zero is the level of the process alone; metrics_query_init() asks for all levels and pools. */
struct metrics_query {
    enum metrics_level level;
    bool backend_histograms;             /* all buckets for each backend, instead of sum and count alone */
    const char *pools[METRICS_POOLS_MAX]; /* only these, their backends and the listeners that lead to them; borrowed */
    size_t pool_count;                   /* 0: all */
};

void metrics_query_init(struct metrics_query *query);

/* Adds one argument of the URL, name=value, to the query, which borrows `value`. Returns NULL, or a plain sentence about what is wrong. */
const char *metrics_query_add(struct metrics_query *query, const char *name, const char *value);

/* Returns the first pool of the query that the report does not have, or NULL if it has them all. */
const char *metrics_unknown_pool(const struct report *report, const struct metrics_query *query);

/* Returns the text, which the caller frees, and sets `*length`; it is not terminated. NULL: out of memory. */
char *metrics_text(const struct report *report, const struct metrics_facts *facts, const struct metrics_query *query, size_t *length);

#endif
