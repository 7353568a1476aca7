/* table/table.h: the live objects of the configuration in force, and the one published snapshot of them.
 *
 * Readers (workers) take no lock. One thread writes, the publisher: control until health starts, then health alone. What was replaced or removed is freed when
 * no worker can hold it any more (table/epoch.h). */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/snapshot.h"

struct config;
struct epoch;
struct limit_workers;
struct table;

/* How many objects of one kind were added, changed and retired. */
struct table_tally {
    size_t added, changed, retired;
};

/* What table_apply() has done. */
struct table_change {
    struct table_tally listeners, pools, backends;
};

/* Makes a table without objects, with a first, empty publication. `prepare` (table/snapshot.h) is given by the caller so that the table need not know
 * selectors; NULL adds nothing. Both must outlive the table. NULL: out of memory. */
struct table *table_new(struct epoch *epoch, const struct table_prepare *prepare);

/* Allows workers to wait at the limits of listeners. `workers` must outlive the table. Before the first table_apply(). */
void table_let_wait(struct table *table, const struct limit_workers *workers);

/* Frees everything. No reader may be left. Asserts that no lease and no reference is left. NULL is allowed. */
void table_free(struct table *table);

/* Changes the live objects to what a configuration says. Objects that it names are added or get its settings; the others are retired. The start passes the
 * whole file, a reload the next one. Objects are the same if they have the same name and, for a backend, the same pool and address; they keep their sessions,
 * counts and state. Then publishes, but frees nothing yet. `config` is read only during the call. `change` may be NULL.
 *
 * Returns 0, or -ENOMEM if nothing has changed. If only the publication lacks memory, returns 0; the next table_publish() makes it. Publisher. */
int table_apply(struct table *table, const struct config *config, struct table_change *change);

/* Returns the current snapshot (acquire), valid until the worker's next quiescent point. A worker that is online in the epoch. */
const struct snapshot *table_load(const struct table *table);

/* The live objects, in the order of the configuration. Publisher, and any thread before the health thread has started. */
struct listener *table_listener(const struct table *table, size_t position);
size_t table_pool_count(const struct table *table);
struct pool *table_pool(const struct table *table, size_t position);
struct backend *table_backend(const struct table *table, size_t pool, size_t position);

/* Calls a function for every pool, including those that are leaving. Publisher. */
void table_each_pool(const struct table *table, void (*visit)(struct pool *pool, void *context), void *context);

/* Writes one source's part of a backend's state. Selectors see it after table_publish(). Publisher. */
void table_set_state(struct table *table, struct backend *backend, enum backend_source source, unsigned value);

/* Notes what an agent says about the weight of a backend. Selectors see it after table_publish(). A backend of weight 0 drains. Publisher. */
void table_set_agent_weight(struct table *table, struct backend *backend, struct capacity_weight weight);

/* Notes the max_connections that an agent says; 0: the configured one. It holds at once. Sessions above a lower limit continue. Publisher. */
void table_set_agent_limit(struct backend *backend, uint32_t max_connections);

/* Begins the slow starts of backends that have become usable since the last call, and continues the others. The first call says that the process has started:
 * backends that are usable then, or whose first probes find them up, start with their whole weight. Call table_publish() after it. Returns when to call it
 * next; UINT64_MAX: only after a change. Publisher. */
uint64_t table_advance(struct table *table, uint64_t now_ns);

/* Keeps a line that was logged about a pool or, unless `backend` is "", a backend, for reports. The strings are copied. Publisher. */
void table_note_line(struct table *table, const char *pool, const char *backend, const char *text);

/* Rebuilds the pools that have changed, publishes them, and frees what no worker can hold. Never waits. Returns 0, also if nothing has changed, or -ENOMEM:
 * then the old snapshot stays published, and the change stays due. Publisher. */
int table_publish(struct table *table);

/* How many things were replaced or removed and are not freed yet: publications, their pools, settings, sets, live objects. Publisher. */
size_t table_retired(const struct table *table);

/* Frees what no worker can hold any more. Never waits. Publisher. */
void table_reclaim(struct table *table);

#endif
