/* table/snapshot.h: what a worker sees of the pools and their usable backends for one turn of its loop.
 *
 * Immutable. Built and published by the publisher; read by workers between epoch_online() and the next epoch_offline() or epoch_pass(): no pointer into it
 * survives the turn. (A pointer to a live object survives for as long as a lease or a reference holds the object.) */
#ifndef TABLE_SNAPSHOT_H
#define TABLE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "table/backend.h"
#include "table/pool.h"

struct snapshot_backend {
    struct backend *backend;
    uint32_t weight; /* 1..256 */
};

struct snapshot_pool {
    struct pool *pool;                      /* the live object */
    const struct pool_settings *settings;   /* as they were when this was built */
    uint64_t hash_seed;                     /* from the configuration's seed */

    /* The backends that may be picked, in the order of the configuration: those that are usable and not backups; when there are none, the usable backups. */
    const struct snapshot_backend *usable;
    uint32_t usable_count;
    uint32_t greatest_weight;         /* of those in usable; 0 when there are none */

    /* Prepared by the pool's selector; at most one of them is set. Entries are indices into `usable`. */
    const uint32_t *sequence; /* round robin walks it, random draws from it; each backend as often as its weight says */
    uint32_t sequence_count;
    const uint32_t *maglev;   /* consistent hash; hash_table_size entries */
    uint32_t maglev_count;
};

struct snapshot {
    uint64_t version;  /* grows by one with every publication, from 1 */
    size_t slot_count;
    const struct snapshot_pool *const *pools; /* by pool->slot; NULL where no pool is published */
};

/* What the snapshot has of a pool; NULL: the pool has left the configuration, or has not been published yet. Worker. */
static inline const struct snapshot_pool *snapshot_find(const struct snapshot *snapshot, const struct pool *pool)
{
    const struct snapshot_pool *found = pool->slot < snapshot->slot_count ? snapshot->pools[pool->slot] : NULL;

    return found && found->pool == pool ? found : NULL;
}

/* What a selector adds to a pool's snapshot before it is published: fills sequence or maglev with malloc'ed arrays that the snapshot then owns. 0 or
 * -ENOMEM. */
typedef int table_prepare_fn(struct snapshot_pool *pool);

#endif
