/* table/snapshot.h: what a worker sees of the pools and their usable backends for one turn of its loop.
 *
 * Immutable. Built and published by the publisher; read by workers between epoch_online() and the next epoch_offline() or epoch_pass(): a pointer into
 * it must not be kept beyond the turn. (A pointer to a live object may be kept while a lease or a reference holds the object.) */
#ifndef TABLE_SNAPSHOT_H
#define TABLE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "table/backend.h"
#include "table/pool.h"

struct config_pool;

struct snapshot_backend {
    struct backend *backend;
    uint32_t weight;   /* 1..256 */
    uint32_t position; /* among the pool's backends, in the order of the configuration */
};

/* What a selector builds from the configuration alone, so that it stays the same while backends go down and come back. One block of memory, immutable.
 * The pool's live object owns it, snapshots borrow it. */
struct snapshot_set {
    /* Consistent hash: one Maglev table for each kind of backend. Entries are positions. NULL: there are no backends of this kind. */
    const uint32_t *primaries; /* of those that are not backups */
    const uint32_t *backups;
    uint32_t maglev_count;     /* entries of each table: hash_table_size */
    uint32_t entries[];        /* of both tables */
};

#define SNAPSHOT_NOT_USABLE UINT32_MAX

struct snapshot_pool {
    struct pool *pool;                      /* the live object */
    const struct pool_settings *settings;   /* as they were when this was built */
    uint64_t hash_seed;                     /* from the configuration's seed */

    /* The backends that may be picked, in the order of the configuration: those that are usable and not backups; when there are none, the usable backups. */
    const struct snapshot_backend *usable;
    uint32_t usable_count;
    uint32_t greatest_weight;         /* of those in usable; 0 when there are none */
    bool uses_backups;                /* those in usable are backups */
    const struct snapshot_set *set;   /* borrowed; NULL: the selector has built none */

    /* Prepared by the pool's selector, which fills those that it needs. */
    const uint32_t *sequence; /* round robin walks it, random draws from it; indices into `usable`, each backend as often as its weight says */
    uint32_t sequence_count;
    const uint32_t *maglev;   /* consistent hash: the table of `set` for the kind of backend in `usable`; positions; borrowed */
    uint32_t maglev_count;
    const uint32_t *usable_index; /* consistent hash: by position, the index into `usable`, or SNAPSHOT_NOT_USABLE */
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

/* What the selectors add to the pools. NULL functions add nothing. Publisher. */
struct table_prepare {
    /* Builds the set of a pool, or NULL if its selector needs none. Called when the backends, their order, their weights or kinds, the pool's balance or
     * hash_table_size, or the seed have changed; `config` is read during the call only. The table then owns the set and frees it with free(). 0 or -ENOMEM. */
    int (*set)(const struct config_pool *config, uint64_t hash_seed, struct snapshot_set **set);

    /* Completes a pool's snapshot before it is published: fills `sequence` and `usable_index` with malloc'ed arrays that the snapshot then owns, and
     * `maglev` with a table of the set. Called whenever the pool has changed in any way. 0 or -ENOMEM. */
    int (*pool)(struct snapshot_pool *pool);
};

#endif
