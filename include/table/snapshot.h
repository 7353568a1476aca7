/* table/snapshot.h: what a worker sees of the backends for one turn of its loop.
 *
 * Immutable. Built and published by health alone; read by workers between epoch_online() and the next epoch_offline()
 * or epoch_pass(): no pointer into it survives the turn. (A `struct backend *` does: it is a live object.) */
#ifndef TABLE_SNAPSHOT_H
#define TABLE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "table/backend.h"

struct snapshot_backend {
    struct backend *backend;
    uint32_t weight; /* 1..256 */
};

/* State of a selector that outlives snapshots: one per pool, shared by all workers, owned by the table. */
struct pool_live {
    _Alignas(64) _Atomic uint32_t cursor; /* round robin: next place in the sequence; relaxed, wraps */
};

struct snapshot_pool {
    const struct config_pool *config; /* names and limits; borrowed for the life of the process */
    struct pool_live *live;
    uint64_t hash_seed;               /* from the configuration's seed */

    /* The backends that may be picked, in the order of the file: those that are up and not backups; when there are
     * none, the backups that are up. */
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
    uint64_t version; /* grows by one with every publication, from 1 */
    size_t pool_count;
    const struct snapshot_pool *const *pools; /* in the order of config.pools */
};

/* Takes the next place of the shared cursor: counts from 0, wraps at 2^32. Any worker. */
uint32_t pool_live_next(struct pool_live *live);

/* What a selector adds to a pool's snapshot before it is published: fills sequence or maglev with malloc'ed arrays
 * that the snapshot then owns. Returns 0 or -ENOMEM. */
typedef int table_prepare_fn(struct snapshot_pool *pool);

/* What a pool's snapshot is made of. Everything is borrowed; `up` is read only during the call. */
struct snapshot_source {
    const struct config_pool *config;
    struct pool_live *live;
    struct backend *backends; /* live objects in the order of the file */
    const bool *up;           /* one per backend */
    uint64_t hash_seed;
    table_prepare_fn *prepare; /* NULL: nothing to add */
};

/* Builds a pool's snapshot into `*pool`: 0, or what `prepare` returned, or -ENOMEM. For table.c alone (the one
 * writer). */
int snapshot_pool_new(const struct snapshot_source *source, const struct snapshot_pool **pool);

/* Frees it with the arrays it owns. NULL is allowed. No reader may hold it. */
void snapshot_pool_free(const struct snapshot_pool *pool);

#endif
