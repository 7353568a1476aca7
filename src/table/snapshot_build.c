/* table/snapshot_build.c: makes and frees what workers see of one pool. Publisher; the table owns the result. */
#include "table/snapshot_build.h"

#include <stdbool.h>
#include <stdlib.h>

struct built_pool {
    struct snapshot_pool pool; /* first: snapshot_pool_free() gets its address */
    struct snapshot_backend usable[];
};

/* Appends the usable backends that are backups, or those that are not. */
static void add_usable(struct built_pool *built, const struct pool *pool, bool backups)
{
    for (size_t i = 0; i < pool->backend_count; i++) {
        struct backend *backend = pool->backends[i];
        const struct backend_settings *settings = backend_settings(backend);

        if (backend_standing(backend) != BACKEND_USABLE || settings->backup != backups)
            continue;
        built->usable[built->pool.usable_count++] = (struct snapshot_backend){.backend = backend, .weight = settings->weight, .position = (uint32_t)i};
        if (settings->weight > built->pool.greatest_weight)
            built->pool.greatest_weight = settings->weight;
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
    add_usable(built, pool, false);
    if (built->pool.usable_count == 0) {
        add_usable(built, pool, true);
        built->pool.uses_backups = built->pool.usable_count > 0;
    }
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
