/* table/snapshot_build.h: makes and frees the part of a snapshot that describes one pool. Publisher. */
#ifndef TABLE_SNAPSHOT_BUILD_H
#define TABLE_SNAPSHOT_BUILD_H

#include "table/snapshot.h"

/* Builds the snapshot of a pool from the state of the live objects. `prepare` may be NULL: nothing to add. Returns NULL if out of memory. */
const struct snapshot_pool *snapshot_pool_new(struct pool *pool, uint64_t hash_seed, const struct table_prepare *prepare);

/* Frees the snapshot of a pool and the arrays that it owns, but not what it borrows. Accepts NULL. No reader may hold it. */
void snapshot_pool_free(const struct snapshot_pool *pool);

#endif
