/* table/snapshot.c: builds and frees what workers see of one pool. Run by the table's writer; the table owns the
 * result. */
#include "table/snapshot.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct built_pool {
    struct snapshot_pool pool; /* first: snapshot_pool_free() gets its address */
    struct snapshot_backend usable[];
};

/* Appends the backends that are up and are backups or not, as asked. */
static void add_usable(struct built_pool *built, const struct snapshot_source *source, bool backups)
{
    for (size_t i = 0; i < source->config->backend_count; i++) {
        const struct config_backend *config = &source->config->backends[i];
        if (!source->up[i] || config->settings.backup != backups)
            continue;
        built->usable[built->pool.usable_count++] = (struct snapshot_backend){
            .backend = &source->backends[i],
            .weight = config->settings.weight,
        };
        if (config->settings.weight > built->pool.greatest_weight)
            built->pool.greatest_weight = config->settings.weight;
    }
}

int snapshot_pool_new(const struct snapshot_source *source, const struct snapshot_pool **pool)
{
    size_t usable_bytes = source->config->backend_count * sizeof(struct snapshot_backend);
    struct built_pool *built = calloc(1, sizeof(*built) + usable_bytes);
    if (!built)
        return -ENOMEM;
    built->pool.config = source->config;
    built->pool.live = source->live;
    built->pool.hash_seed = source->hash_seed;
    built->pool.usable = built->usable;
    add_usable(built, source, false);
    if (built->pool.usable_count == 0)
        add_usable(built, source, true);

    int error = source->prepare ? source->prepare(&built->pool) : 0;
    if (error) {
        snapshot_pool_free(&built->pool);
        return error;
    }
    *pool = &built->pool;
    return 0;
}

/* Arrays are const for everyone but their owner, here. */
static void free_const(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void snapshot_pool_free(const struct snapshot_pool *pool)
{
    if (!pool)
        return;
    free_const(pool->sequence);
    free_const(pool->maglev);
    free_const(pool);
}

uint32_t pool_live_next(struct pool_live *live)
{
    return atomic_fetch_add_explicit(&live->cursor, 1, memory_order_relaxed);
}
