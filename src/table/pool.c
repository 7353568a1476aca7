/* table/pool.c: the live object of one pool. Any thread, as the header says; owned by the table. */
#include "table/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct pool *pool_new(struct table *table, const struct config_pool *config, uint32_t slot)
{
    size_t name_bytes = strlen(config->name) + 1;
    size_t bytes = (sizeof(struct pool) + name_bytes + 63) / 64 * 64;
    struct pool *pool = aligned_alloc(_Alignof(struct pool), bytes);
    struct pool_settings *settings = pool_settings_copy(&config->settings);

    if (!pool || !settings) {
        free(pool);
        free(settings);
        return NULL;
    }
    memset(pool, 0, bytes);
    pool->name = memcpy(pool + 1, config->name, name_bytes);
    list_init(&pool->link);
    list_init(&pool->all_backends);
    pool->slot = slot;
    pool->table = table;
    atomic_init(&pool->settings, settings);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    assert(pool_is_unused(pool));
    list_remove(&pool->link);
    free((void *)(uintptr_t)pool_settings(pool));
    free(pool->backends);
    free(pool->set);
    free(pool);
}

const struct pool_settings *pool_replace_settings(struct pool *pool, const struct pool_settings *settings)
{
    const struct pool_settings *old = pool_settings(pool);

    atomic_store_explicit(&pool->settings, settings, memory_order_release);
    return old;
}

void pool_enter(struct pool *pool)
{
    atomic_fetch_add_explicit(&pool->sessions, 1, memory_order_relaxed);
}

void pool_leave(struct pool *pool)
{
    uint32_t before = atomic_fetch_sub_explicit(&pool->sessions, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

uint32_t pool_next_turn(struct pool *pool)
{
    return atomic_fetch_add_explicit(&pool->cursor, 1, memory_order_relaxed);
}

bool pool_raise_alarm(struct pool *pool)
{
    return !atomic_exchange_explicit(&pool->alarmed, true, memory_order_acq_rel);
}

/* Most pools have no alarm at most times, so this does not write to their cache lines. If it misses one, the publisher was not told of it yet. */
bool pool_take_alarm(struct pool *pool)
{
    return atomic_load_explicit(&pool->alarmed, memory_order_relaxed) && atomic_exchange_explicit(&pool->alarmed, false, memory_order_acq_rel);
}

uint32_t pool_sessions(const struct pool *pool)
{
    return atomic_load_explicit(&pool->sessions, memory_order_relaxed);
}

bool pool_is_unused(const struct pool *pool)
{
    return list_empty(&pool->all_backends) && pool->listeners == 0 && atomic_load_explicit(&pool->sessions, memory_order_acquire) == 0;
}
