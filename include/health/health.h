/* health/health.h: the health thread: probes, judges, and is the only publisher of the table once it runs. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "config/config.h"

/* Most probes under way at a time, over all kinds. Control sets a descriptor aside for each; more probes wait for their turn. */
#define HEALTH_PROBES_MAX 256

struct table;
struct health;

/* Starts the thread (every signal blocked in it). `config` and `table` must outlive it; from here until health_stop() returns, no other
 * thread may write the table. Returns NULL and sets `*error` to a negative errno. Control only. */
struct health *health_start(const struct config *config, struct table *table, int *error);

/* Stops the thread and joins it; probes under way are abandoned. NULL is allowed. Control only. */
void health_stop(struct health *health);

#endif
