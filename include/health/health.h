/* health/health.h: the health thread: probes, judges, and is the publisher of the table once it runs. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

/* Most probes under way at a time, over all kinds. Control sets a descriptor aside for each; more probes wait for their turn. */
#define HEALTH_PROBES_MAX 256

struct config;
struct health;
struct table;
struct table_change;

/* Starts the thread (every signal blocked in it), which probes the table's backends. `table` must outlive it; from here until health_stop() returns, no other
 * thread may write the table. Returns NULL and sets `*error` to a negative errno. Control only. */
struct health *health_start(struct table *table, int *error);

/* Has the thread apply a configuration to the table (table_apply() in table/table.h) and probe accordingly, and waits until that is done. `config` is read during the
 * call only. 0; -ENOMEM: nothing has changed; -ETIMEDOUT: the thread did not take the request within a second, and nothing has changed. Control only. */
int health_apply(struct health *health, const struct config *config, struct table_change *change);

/* Stops the thread and joins it; probes under way are abandoned. NULL is allowed. Control only. */
void health_stop(struct health *health);

#endif
