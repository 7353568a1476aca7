/* table/table.h: the backend table: live objects and the one published snapshot.
 *
 * Readers (workers) take no lock. One thread writes: control until health starts (the first publication), then
 * health alone. Retired snapshots are freed when every worker has passed a quiescent point (table/epoch.h). */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "table/snapshot.h"

struct epoch;
struct table;

/* Live objects for every pool of `config`, all backends in the state check_initial says (up for `check = none`), and a
 * first publication. `prepare` (table/snapshot.h) is given by the caller so that the table need not know selectors;
 * NULL adds nothing. `config` and `epoch` must outlive the table. NULL: out of memory. */
struct table *table_new(const struct config *config, struct epoch *epoch, table_prepare_fn *prepare);

/* Frees everything, retired snapshots included. No reader may be left; asserts that no slot is reserved. NULL is
 * allowed. */
void table_free(struct table *table);

/* The current snapshot (acquire). Worker, online in the epoch; valid until it passes a quiescent point. */
const struct snapshot *table_load(const struct table *table);

/* The live object of a backend by position in the configuration. Any thread; valid until table_free(). */
struct backend *table_backend(const struct table *table, size_t pool, size_t backend);

/* Writer only: notes that a backend is up or down; nothing is visible until table_publish(). */
void table_set_up(struct table *table, size_t pool, size_t backend, bool up);
bool table_is_up(const struct table *table, size_t pool, size_t backend);

/* Writer only: rebuilds the pools that changed since the last publication, publishes, and frees what every worker has
 * left behind; never waits. Returns 0 (also when nothing had changed) or -ENOMEM: the old snapshot then stays published
 * and the change stays noted for the next call. */
int table_publish(struct table *table);

/* Writer only: snapshots and pools retired but not yet freed. */
size_t table_retired(const struct table *table);

/* Writer only: frees what every worker has left behind. */
void table_reclaim(struct table *table);

#endif
