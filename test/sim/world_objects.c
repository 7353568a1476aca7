/* test/sim/world_objects.c: finds the live objects of the table, and what they are in the first configuration. Test thread; owns nothing. */
#include <stdlib.h>
#include <string.h>

#include "table/objects.h"
#include "world.h"

uint32_t world_pool_of(const struct backend *backend)
{
    return (uint32_t)(backend->name[0] - 'a'); /* world_config.c: "a0" is backend 0 of pool "a" */
}

uint32_t world_backend_of(const struct backend *backend)
{
    return (uint32_t)atoi(backend->name + 1);
}

uint32_t world_address_of(const struct world *world, const struct backend *backend)
{
    const struct addr *addresses = world->addresses[world_pool_of(backend)][world_backend_of(backend)];
    uint32_t found = 0;

    while (found + 1 < ADDRESSES_MAX && !addr_equal(&addresses[found], &backend->addr))
        found++;
    return found;
}

struct listener *world_listener(const struct world *world, uint32_t listener)
{
    for (struct list *link = world->table->all_listeners.next; link != &world->table->all_listeners; link = link->next) {
        struct listener *found = container_of(link, struct listener, link);

        if (!found->condemned && strcmp(found->name, world->listeners[listener].name) == 0)
            return found;
    }
    return NULL;
}

uint32_t world_sessions_of_pools(const struct world *world)
{
    uint32_t sessions = 0;

    for (struct list *link = world->table->all_pools.next; link != &world->table->all_pools; link = link->next)
        sessions += pool_sessions(container_of(link, struct pool, link));
    return sessions;
}

void world_each_backend(struct world *world, void (*check)(struct world *world, struct backend *backend))
{
    for (struct list *link = world->table->all_pools.next; link != &world->table->all_pools; link = link->next) {
        struct pool *pool = container_of(link, struct pool, link);

        for (struct list *at = pool->all_backends.next; at != &pool->all_backends; at = at->next)
            check(world, container_of(at, struct backend, link));
    }
}
