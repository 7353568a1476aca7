/* table/listener.c: the live object of one listener. Any thread, as the header says; owned by the table. */
#include "table/listener.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "table/pool.h"
#include "table/sources.h"

/* 0 in the settings means no limit. */
static uint32_t limit_of(uint32_t setting)
{
    return setting ? setting : UINT32_MAX;
}

struct listener *listener_new(const struct config_listener *config, struct pool *pool, const struct limit_workers *workers)
{
    size_t name_bytes = strlen(config->name) + 1;
    size_t bytes = (sizeof(struct listener) + name_bytes + 63) / 64 * 64;
    struct listener *listener = aligned_alloc(_Alignof(struct listener), bytes);
    struct listener_settings *settings = listener_settings_copy(&config->settings);
    bool udp = config->settings.protocol != CONFIG_PROTOCOL_TCP;
    struct sources *sources = udp ? sources_new() : NULL;

    if (!listener || !settings || (udp && !sources))
        goto fail;
    memset(listener, 0, bytes);
    listener->name = memcpy(listener + 1, config->name, name_bytes);
    list_init(&listener->link);
    limit_init(&listener->connections, limit_of(settings->max_connections));
    limit_init_flows(&listener->flows, limit_of(settings->max_flows));
    listener->sources = sources;
    if (workers && limit_let_wait(&listener->connections, workers) < 0)
        goto fail;
    atomic_init(&listener->settings, settings);
    atomic_init(&listener->pool, pool);
    pool->listeners++;
    return listener;

fail:
    free(listener);
    free(settings);
    sources_free(sources);
    return NULL;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    assert(listener_is_unused(listener));
    listener_pool(listener)->listeners--;
    list_remove(&listener->link);
    limit_deinit(&listener->connections);
    sources_free(listener->sources);
    free((void *)(uintptr_t)listener_settings(listener));
    free(listener);
}

const struct listener_settings *listener_replace_settings(struct listener *listener, const struct listener_settings *settings)
{
    const struct listener_settings *old = listener_settings(listener);

    atomic_store_explicit(&listener->settings, settings, memory_order_release);
    limit_set_max(&listener->connections, limit_of(settings->max_connections));
    limit_set_max(&listener->flows, limit_of(settings->max_flows));
    return old;
}

void listener_replace_pool(struct listener *listener, struct pool *pool)
{
    listener_pool(listener)->listeners--;
    pool->listeners++;
    atomic_store_explicit(&listener->pool, pool, memory_order_release);
}

void listener_hold(struct listener *listener)
{
    atomic_fetch_add_explicit(&listener->references, 1, memory_order_relaxed);
}

void listener_drop(struct listener *listener)
{
    uint32_t before = atomic_fetch_sub_explicit(&listener->references, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

bool listener_is_unused(const struct listener *listener)
{
    return limit_used(&listener->connections) == 0 && limit_used(&listener->flows) == 0 &&
           atomic_load_explicit(&listener->references, memory_order_acquire) == 0;
}
