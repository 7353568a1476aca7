/* table/snapshot_build.c: makes and frees what workers see of one pool. Publisher; the table owns the result. */
#include "table/snapshot_build.h"

#include <stdbool.h>
#include <stdlib.h>

#define KEPT_ALL (UINT32_C(1) << 16)

struct built_pool {
    struct snapshot_pool pool; /* first: snapshot_pool_free() gets its address */
    struct snapshot_backend usable[];
};

/* The part of its configured weight that a backend has at present: at most KEPT_ALL. */
static uint32_t share_of(const struct snapshot_backend *row)
{
    uint32_t whole = backend_settings(row->backend)->weight * CAPACITY_WHOLE;

    return row->weight < whole ? (uint32_t)((uint64_t)row->weight * KEPT_ALL / whole) : KEPT_ALL;
}

/* Decides how many clients each backend keeps under consistent hash: in proportion to its share, and all of them if it has the greatest share. So no client
 * moves if all backends are equally busy. */
static void set_kept(struct built_pool *built)
{
    uint32_t greatest = 1;

    for (uint32_t i = 0; i < built->pool.usable_count; i++) {
        uint32_t share = share_of(&built->usable[i]);

        greatest = share > greatest ? share : greatest;
    }
    for (uint32_t i = 0; i < built->pool.usable_count; i++) {
        uint64_t kept = (uint64_t)share_of(&built->usable[i]) * KEPT_ALL / greatest;

        built->usable[i].kept = (uint16_t)(kept > 0 ? kept - 1 : 0);
    }
}

/* Appends the backends that take new sessions. Returns whether the weight of any is reduced. */
static bool add_takers(struct built_pool *built, const struct pool *pool)
{
    bool any_reduced = false;

    for (size_t i = 0; i < pool->backend_count; i++) {
        struct backend *backend = pool->backends[i];
        bool takes = service_takes(&pool->service, backend);
        uint32_t weight;

        backend_set_serves_anyway(backend, takes && backend_standing(backend) != BACKEND_USABLE);
        if (!takes)
            continue;
        weight = capacity_weight(backend);
        any_reduced |= weight < backend_settings(backend)->weight * CAPACITY_WHOLE;
        built->usable[built->pool.usable_count++] =
            (struct snapshot_backend){.backend = backend, .weight = (uint16_t)weight, .kept = UINT16_MAX, .position = (uint32_t)i};
        if (weight > built->pool.greatest_weight)
            built->pool.greatest_weight = weight;
    }
    return any_reduced;
}

/* Appends the backends in reserve. */
static void add_reserve(struct built_pool *built, const struct pool *pool)
{
    struct snapshot_backend *reserve = built->usable + built->pool.usable_count;

    built->pool.reserve = reserve;
    for (size_t i = 0; i < pool->backend_count; i++) {
        if (service_reserves(&pool->service, pool->backends[i]))
            reserve[built->pool.reserve_count++] = (struct snapshot_backend){.backend = pool->backends[i], .position = (uint32_t)i};
    }
}

const struct snapshot_pool *snapshot_pool_new(struct pool *pool, uint64_t hash_seed, const struct table_prepare *prepare)
{
    struct built_pool *built = calloc(1, sizeof(*built) + pool->backend_count * sizeof(built->usable[0]));

    if (!built)
        return NULL;
    built->pool.pool = pool;
    built->pool.settings = pool_settings(pool);
    built->pool.hash_seed = hash_seed;
    built->pool.usable = built->usable;
    built->pool.set = pool->set;
    pool->service = service_decide(pool);
    built->pool.uses_backups = pool->service.uses_backups && pool->service.takers > 0;
    if (add_takers(built, pool))
        set_kept(built);
    add_reserve(built, pool);
    if (prepare && prepare->pool && prepare->pool(&built->pool) < 0) {
        snapshot_pool_free(&built->pool);
        return NULL;
    }
    return &built->pool;
}

/* Frees memory that is const for all other code. */
static void free_const(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void snapshot_pool_free(const struct snapshot_pool *pool)
{
    if (!pool)
        return;
    free_const(pool->sequence);
    free_const(pool->usable_index);
    free_const(pool);
}
