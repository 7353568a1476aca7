/* table/snapshot_build.h: makes and frees the part of a snapshot that describes one pool. Publisher. */
#ifndef TABLE_SNAPSHOT_BUILD_H
#define TABLE_SNAPSHOT_BUILD_H

#include "table/snapshot.h"

/* Builds it from the state of the live objects. `prepare` may be NULL: nothing to add. NULL: out of memory. */
const struct snapshot_pool *snapshot_pool_new(struct pool *pool, uint64_t hash_seed, const struct table_prepare *prepare);

/* Frees it with the arrays it owns, not what it borrows. NULL is allowed. No reader may hold it. */
void snapshot_pool_free(const struct snapshot_pool *pool);

#endif
