/* table/table.c: owns the live objects and the snapshots; publishes. Writer: control, then health. Readers: workers,
 * table_load().
 *
 * A publication is one snapshot with the array of its pools. When the next one replaces it, it waits in a list (oldest
 * first) with those of its pools that the next one no longer has, under a ticket of the epoch; a pool that did not
 * change is passed on by pointer. */
#include "table/table.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "table/epoch.h"

struct publication {
    struct snapshot snapshot; /* what readers see; all below is the writer's */
    struct publication *next; /* in the list of the retired */
    uint64_t ticket;
    size_t leaving_count;
    const struct snapshot_pool **leaving; /* pools that end with this publication: the second half of `pools` */
    const struct snapshot_pool *pools[];
};

struct table_pool {
    struct pool_live live;
    const struct config_pool *config;
    struct backend *backends;
    bool *up;           /* what was last set */
    bool *up_published; /* what the published snapshot shows: the second half of `up` */
};

struct table {
    _Alignas(64) _Atomic(const struct snapshot *) current; /* stored by the writer, loaded by workers */

    /* Immutable after table_new(). */
    _Alignas(64) const struct config *config;
    struct epoch *epoch;
    table_prepare_fn *prepare;
    struct table_pool *pools; /* config->pool_count of them; their `up` is the writer's */

    /* The writer's alone. */
    struct publication *published;
    struct publication *retired_first, *retired_last;
    size_t retired_count;
};

static void *new_zeroed(size_t alignment, size_t bytes)
{
    void *memory = aligned_alloc(alignment, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

static int pool_init(struct table_pool *pool, const struct config_pool *config)
{
    size_t count = config->backend_count;
    assert(count > 0 && count <= UINT32_MAX);
    pool->config = config;
    pool->backends = new_zeroed(_Alignof(struct backend), count * sizeof(*pool->backends));
    pool->up = calloc(count, 2 * sizeof(*pool->up));
    if (!pool->backends || !pool->up)
        return -ENOMEM;
    pool->up_published = pool->up + count;
    for (size_t i = 0; i < count; i++) {
        backend_init(&pool->backends[i], &config->backends[i], (uint32_t)i);
        pool->up[i] = config->settings.check == CONFIG_CHECK_NONE || config->settings.check_initial_up;
    }
    return 0;
}

static void pool_deinit(struct table_pool *pool)
{
    for (size_t i = 0; pool->backends && i < pool->config->backend_count; i++)
        assert(backend_in_flight(&pool->backends[i]) == 0);
    free(pool->backends);
    free(pool->up);
}

struct table *table_new(const struct config *config, struct epoch *epoch, table_prepare_fn *prepare)
{
    assert(config->pool_count > 0);
    struct table *table = new_zeroed(_Alignof(struct table), sizeof(*table));
    if (!table)
        return NULL;
    table->config = config;
    table->epoch = epoch;
    table->prepare = prepare;
    table->pools = new_zeroed(_Alignof(struct table_pool), config->pool_count * sizeof(*table->pools));
    if (!table->pools)
        goto fail;
    for (size_t i = 0; i < config->pool_count; i++)
        if (pool_init(&table->pools[i], &config->pools[i]))
            goto fail;
    if (table_publish(table))
        goto fail;
    return table;
fail:
    table_free(table);
    return NULL;
}

static void publication_free(struct publication *publication)
{
    for (size_t i = 0; i < publication->leaving_count; i++)
        snapshot_pool_free(publication->leaving[i]);
    free(publication);
}

static void free_oldest(struct table *table)
{
    struct publication *oldest = table->retired_first;
    table->retired_first = oldest->next;
    table->retired_count -= 1 + oldest->leaving_count;
    publication_free(oldest);
}

void table_free(struct table *table)
{
    if (!table)
        return;
    while (table->retired_first)
        free_oldest(table);
    assert(table->retired_count == 0);
    struct publication *last = table->published;
    if (last) {
        last->leaving_count = table->config->pool_count;
        memcpy(last->leaving, last->pools, last->leaving_count * sizeof(last->pools[0]));
        publication_free(last);
    }
    for (size_t i = 0; table->pools && i < table->config->pool_count; i++)
        pool_deinit(&table->pools[i]);
    free(table->pools);
    free(table);
}

const struct snapshot *table_load(const struct table *table)
{
    return atomic_load_explicit(&table->current, memory_order_acquire);
}

static struct table_pool *pool_at(const struct table *table, size_t pool, size_t backend)
{
    assert(pool < table->config->pool_count);
    assert(backend < table->config->pools[pool].backend_count);
    return &table->pools[pool];
}

struct backend *table_backend(const struct table *table, size_t pool, size_t backend)
{
    return &pool_at(table, pool, backend)->backends[backend];
}

void table_set_up(struct table *table, size_t pool, size_t backend, bool up)
{
    pool_at(table, pool, backend)->up[backend] = up;
}

bool table_is_up(const struct table *table, size_t pool, size_t backend)
{
    return pool_at(table, pool, backend)->up[backend];
}

static bool pool_changed(const struct table *table, size_t i)
{
    const struct table_pool *pool = &table->pools[i];
    return !table->published ||
           memcmp(pool->up, pool->up_published, pool->config->backend_count * sizeof(pool->up[0])) != 0;
}

static bool table_changed(const struct table *table)
{
    for (size_t i = 0; i < table->config->pool_count; i++)
        if (pool_changed(table, i))
            return true;
    return false;
}

/* The next publication: changed pools built anew, the others taken over. Changes nothing of the table. */
static int publication_new(const struct table *table, struct publication **out)
{
    size_t count = table->config->pool_count;
    struct publication *old = table->published;
    struct publication *next = calloc(1, sizeof(*next) + 2 * count * sizeof(next->pools[0]));
    if (!next)
        return -ENOMEM;
    next->leaving = next->pools + count;
    next->snapshot = (struct snapshot){
        .version = old ? old->snapshot.version + 1 : 1,
        .pool_count = count,
        .pools = next->pools,
    };

    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        struct table_pool *pool = &table->pools[i];
        struct snapshot_source source = {
            .config = pool->config,
            .live = &pool->live,
            .backends = pool->backends,
            .up = pool->up,
            .hash_seed = table->config->seed,
            .prepare = table->prepare,
        };
        if (pool_changed(table, i))
            error = snapshot_pool_new(&source, &next->pools[i]);
        else
            next->pools[i] = old->pools[i];
    }
    if (!error) {
        *out = next;
        return 0;
    }
    /* `leaving` takes what was built here, so that it goes with the publication. */
    for (size_t i = 0; i < count; i++)
        if (next->pools[i] && !(old && next->pools[i] == old->pools[i]))
            next->leaving[next->leaving_count++] = next->pools[i];
    publication_free(next);
    return error;
}

/* Puts `old`, replaced by table->published, on the list of the retired. Takes ownership. */
static void retire(struct table *table, struct publication *old)
{
    for (size_t i = 0; i < table->config->pool_count; i++)
        if (old->pools[i] != table->published->pools[i])
            old->leaving[old->leaving_count++] = old->pools[i];
    old->ticket = epoch_advance(table->epoch);
    old->next = NULL;
    if (table->retired_first)
        table->retired_last->next = old;
    else
        table->retired_first = old;
    table->retired_last = old;
    table->retired_count += 1 + old->leaving_count;
}

int table_publish(struct table *table)
{
    if (table_changed(table)) {
        struct publication *next, *old = table->published;
        int error = publication_new(table, &next);
        if (error)
            return error;
        table->published = next;
        atomic_store_explicit(&table->current, &next->snapshot, memory_order_release);
        for (size_t i = 0; i < table->config->pool_count; i++) {
            struct table_pool *pool = &table->pools[i];
            memcpy(pool->up_published, pool->up, pool->config->backend_count * sizeof(pool->up[0]));
        }
        if (old)
            retire(table, old);
    }
    table_reclaim(table);
    return 0;
}

size_t table_retired(const struct table *table)
{
    return table->retired_count;
}

void table_reclaim(struct table *table)
{
    /* Tickets grow along the list. */
    while (table->retired_first && epoch_reached(table->epoch, table->retired_first->ticket))
        free_oldest(table);
}
