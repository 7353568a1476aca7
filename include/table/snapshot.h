/* table/snapshot.h: what a worker sees of the pools and their usable backends for one turn of its loop.
 *
 * It is immutable. The publisher builds and publishes it. Workers read it between epoch_online() and the next epoch_offline() or epoch_pass(), so a pointer
 * into it must not be kept beyond the turn. (A pointer to a live object may be kept while a lease or a reference holds the object.) */
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
    uint16_t weight;   /* at present, in hundredths: 1 to CAPACITY_WEIGHT_MAX * CAPACITY_WHOLE */
    uint16_t kept;     /* consistent hash: of every 65,536 clients that the table gives it, it keeps this number plus one */
    uint32_t position; /* index of the backend in its pool, in the order of the configuration */
};

/* What a selector builds from the configuration alone, so that it stays the same while backends go down and come up. It is one block of memory and immutable.
 * The pool's live object owns it. Snapshots borrow it. */
struct snapshot_set {
    /* Consistent hash: one Maglev table for each kind of backend. Entries are positions. NULL: there are no backends of this kind. */
    const uint32_t *primaries; /* the table of the backends that are not backups */
    const uint32_t *backups;
    uint32_t maglev_count;     /* number of entries of each table: hash_table_size */
    uint32_t entries[];        /* the entries of both tables */
};

#define SNAPSHOT_NOT_USABLE UINT32_MAX

struct snapshot_pool {
    struct pool *pool;                      /* the live object */
    const struct pool_settings *settings;   /* the settings when the snapshot was built; borrowed */
    uint64_t hash_seed;                     /* from the configuration's seed */

    /* The backends that may be picked, in the order of the configuration: those that take new sessions (table/service.h). All are primaries or all backups. */
    const struct snapshot_backend *usable;
    uint32_t usable_count;
    uint32_t greatest_weight;         /* greatest weight in `usable`; 0: it is empty */
    bool uses_backups;                /* the backends in `usable` are backups */

    /* The backends in reserve (table/service.h), in the order of the configuration. */
    const struct snapshot_backend *reserve;
    uint32_t reserve_count;
    const struct snapshot_set *set;   /* borrowed; NULL: the selector has built none */

    /* Prepared by the pool's selector, which fills the fields that it needs. */
    const uint32_t *sequence; /* for round robin, in order, and for random, which draws from it: indices into `usable`, each in proportion to its weight */
    uint32_t sequence_count;
    const uint32_t *maglev;   /* consistent hash: the table of `set` for the kind of backend in `usable`; positions; borrowed */
    uint32_t maglev_count;
    const uint32_t *usable_index; /* consistent hash: for each position, the index into `usable`, or SNAPSHOT_NOT_USABLE */
};

struct snapshot {
    uint64_t version;  /* starts at 1 and grows by one with every publication */
    size_t slot_count;
    const struct snapshot_pool *const *pools; /* by pool->slot; NULL: no pool is published in this slot */
};

/* Returns the snapshot of a pool, or NULL if the pool has left the configuration or has not been published yet. Worker. */
static inline const struct snapshot_pool *snapshot_find(const struct snapshot *snapshot, const struct pool *pool)
{
    const struct snapshot_pool *found = pool->slot < snapshot->slot_count ? snapshot->pools[pool->slot] : NULL;

    return found && found->pool == pool ? found : NULL;
}

/* Functions that build what the selectors need. NULL: nothing to build. Publisher. */
struct table_prepare {
    /* Builds the set of a pool, or sets it to NULL if its selector needs none. Called when the backends, their order, their weights or kinds, the pool's
     * balance or hash_table_size, or the seed have changed. `config` is read only during the call. The table then owns the set and frees it with free().
     * Returns 0 or -ENOMEM. */
    int (*set)(const struct config_pool *config, uint64_t hash_seed, struct snapshot_set **set);

    /* Completes a pool's snapshot before it is published: fills `sequence` and `usable_index` with malloc'ed arrays, which the snapshot then owns, and `maglev`
     * with a table of the set. Called whenever the pool has changed in any way. Returns 0 or -ENOMEM. */
    int (*pool)(struct snapshot_pool *pool);
};

#endif
