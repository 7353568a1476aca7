/* health/health.h: the health thread: it probes backends, judges the results, ejects backends, and is the only publisher of the table while it runs. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include <stdint.h>

#include "config/config.h"

/* The greatest maximum number of probes in flight, over all kinds. */
#define HEALTH_PROBES_MAX CONFIG_PROBES_MAX

/* Maximum number of agents that are called at the same time. Control reserves a descriptor for each. Further calls wait. */
#define HEALTH_AGENT_CALLS_MAX 64

struct counters;
struct health;
struct report;
struct table;
struct table_change;

/* How the thread orders the workers to close the sessions of backends (health/lifecycle.h). */
struct health_workers {
    unsigned count;
    void (*evict)(void *context, unsigned worker); /* makes a worker look for such sessions; called in the health thread; must not wait */
    void *context;
    const struct counters *counters; /* one per worker, for reports; NULL: none */
};

/* Starts the thread, with all signals blocked; it probes the table's backends. At most `probes_max` probes are in flight (1 to HEALTH_PROBES_MAX); control has
 * reserved a descriptor for each. Further probes wait. `table` and `workers` must outlive it; `workers` may be NULL. Until health_stop() returns, no other
 * thread may write the table. On failure returns NULL and sets `*error` to a negative errno. Control only. */
struct health *health_start(struct table *table, const struct health_workers *workers, uint32_t probes_max, int *error);

/* Makes the thread apply a configuration to the table (table_apply() in table/table.h) and probe accordingly, and waits until that is done. `config` is read
 * only during the call. Returns 0; -ENOMEM; or -ETIMEDOUT if the thread did not take the request within a second. After an error nothing has changed.
 * Control only. */
int health_apply(struct health *health, const struct config *config, struct table_change *change);

/* Takes a report of the live objects and the workers (table/report.h), which the caller owns. Waits until `deadline_ns` (clock_now_ns()) at the latest. Returns
 * 0; -ENOMEM; -ETIMEDOUT if the thread is late, which harms nothing; or -ECANCELED if it ends. Any thread that has ended before health_stop() is
 * called. */
int health_report(struct health *health, uint64_t deadline_ns, struct report **report);

/* Tells the thread that a session has failed, and that backend_note_failure() has returned true (table/backend.h). `health` is the struct health. Any thread;
 * never waits. */
void health_tell_of_failure(void *health);

/* Stops the thread and joins it. Abandons probes in flight. Accepts NULL. Control only. */
void health_stop(struct health *health);

#endif
