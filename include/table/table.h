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

/* How many objects of a kind a change adds, changes and retires. */
struct table_tally {
    size_t added, changed, retired;
};

/* What table_apply() has found and done. */
struct table_change {
    struct table_tally listeners, pools, backends;
};

/* A table without objects, and a first, empty publication. `prepare` (table/snapshot.h) is given by the caller so that the table need not know selectors; NULL
 * adds nothing. Both must outlive the table. NULL: out of memory. */
struct table *table_new(struct epoch *epoch, const struct table_prepare *prepare);

/* Workers may wait for the limits of the listeners to come. `workers` must outlive the table. Before the first table_apply(). */
void table_let_wait(struct table *table, const struct limit_workers *workers);

/* Frees everything. No reader may be left; asserts that no lease and no reference is. NULL is allowed. */
void table_free(struct table *table);

/* Turns a configuration into a change of the live objects: those that it names are added, or get its settings, and those that it does not name are retired.
 * The start gives it the whole file, a reload the next one. Objects are the same when they have the same name (and, for a backend, pool and address); they
 * keep their sessions, counts and state. Then publishes, but frees nothing yet. `config` is read during the call only. `change` may be NULL.
 *
 * 0; or -ENOMEM, and nothing has changed. (When only the publication lacks memory, 0: it is due, and the next table_publish() makes it.) Publisher. */
int table_apply(struct table *table, const struct config *config, struct table_change *change);

/* The current snapshot (acquire). Worker, online in the epoch: valid until its next quiescent point. */
const struct snapshot *table_load(const struct table *table);

/* The live objects, in the order of the configuration. Publisher; also any thread before the publisher's has started. */
size_t table_listener_count(const struct table *table);
struct listener *table_listener(const struct table *table, size_t position);
size_t table_pool_count(const struct table *table);
struct pool *table_pool(const struct table *table, size_t position);
struct backend *table_backend(const struct table *table, size_t pool, size_t position);

/* Writes one source's part of a backend's state. Nothing is visible to selectors until table_publish(). Publisher. */
void table_set_state(struct table *table, struct backend *backend, enum backend_source source, unsigned value);

/* Rebuilds the pools that changed since the last publication, publishes, and frees what no worker can hold; never waits. Returns 0 (also when nothing had
 * changed) or -ENOMEM: the old snapshot then stays published and the change stays due. Publisher. */
int table_publish(struct table *table);

/* What was replaced or removed and is not freed yet: publications, pools of them, settings, sets, live objects. Publisher. */
size_t table_retired(const struct table *table);

/* Frees what no worker can hold any more. Never waits. Publisher. */
void table_reclaim(struct table *table);

#endif
