/* test/sim/world_changes.c: the configuration changes while sessions run: backends and pools leave and come back, limits and weights change, listeners lead elsewhere.
 * Test thread; owns nothing. */
#include <stdlib.h>
#include <string.h>

#include "table/objects.h"
#include "world.h"

enum { CHANGES_MAX = 40 };

uint32_t world_pool_of(const struct backend *backend)
{
    return (uint32_t)(backend->name[0] - 'a'); /* world_config.c: "a0" is backend 0 of pool "a" */
}

uint32_t world_backend_of(const struct backend *backend)
{
    return (uint32_t)atoi(backend->name + 1);
}

/* Some of a pool's backends, in any order, each with another weight and limit now and then. A quick run keeps the first one as it was. */
static void draw_backends(struct world *world, struct changed *changed, uint32_t p, struct config_pool *pool)
{
    struct sim *sim = world->sim;
    uint32_t count = 0, all = (uint32_t)world->pools[p].backend_count;

    for (uint32_t b = 0; b < all; b++) {
        struct config_backend *backend = &changed->backends[p][count];
        bool is_kept = world->quick && b == 0;

        if (!is_kept && sim_chance(sim, 300) && !(count == 0 && b + 1 == all))
            continue;
        *backend = world->backends[p][b];
        count++;
        if (is_kept || !sim_chance(sim, 300))
            continue;
        backend->settings.weight = 1 + sim_below(sim, 5);
        backend->settings.max_connections = sim_below(sim, 4);
        backend->settings.backup = b > 0 && sim_chance(sim, 150);
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = sim_below(sim, i);
        struct config_backend swapped = changed->backends[p][i - 1];

        changed->backends[p][i - 1] = changed->backends[p][other];
        changed->backends[p][other] = swapped;
    }
    pool->backends = changed->backends[p];
    pool->backend_count = count;
}

static void draw_change(struct world *world, struct changed *changed)
{
    struct sim *sim = world->sim;

    changed->config = world->config;
    changed->config.pool_count = 0;
    for (uint32_t p = 0; p < world->config.pool_count; p++) {
        struct config_pool *pool = &changed->pools[changed->config.pool_count];

        if (sim_chance(sim, 250) && !(changed->config.pool_count == 0 && p + 1 == world->config.pool_count))
            continue;
        *pool = world->pools[p];
        pool->settings.balance = (enum config_balance)sim_below(sim, 4);
        draw_backends(world, changed, p, pool);
        changed->config.pool_count++;
    }
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        changed->listeners[i] = world->listeners[i];
        changed->listeners[i].pool = sim_below(sim, (uint32_t)changed->config.pool_count);
        if (!world->quick && sim_chance(sim, 300))
            changed->listeners[i].settings.max_connections = sim_below(sim, 5);
    }
    changed->config.pools = changed->pools;
    changed->config.listeners = changed->listeners;
}

/* A limit that was lowered below what is in use holds for newcomers only. */
static uint32_t allowed_now(uint32_t max, uint32_t used)
{
    return max == 0 ? UINT32_MAX : max > used ? max : used;
}

static void note_slots(struct world *world, struct backend *backend)
{
    uint32_t *allowed = &world->slots_allowed[world_pool_of(backend)][world_backend_of(backend)];

    if (!backend->condemned)
        *allowed = allowed_now(backend_settings(backend)->max_connections, backend_in_flight(backend));
}

static void note_allowed(struct world *world)
{
    world_each_backend(world, note_slots);
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        const struct limit *limit = &table_listener(world->table, i)->connections;

        world->places_allowed[i] = allowed_now(limit_max(limit), limit_used(limit));
    }
}

bool world_may_hold(uint32_t *allowed, uint32_t max, uint32_t used)
{
    if (used > *allowed)
        return false;
    *allowed = allowed_now(max, used);
    return true;
}

static void check_limits(struct world *world)
{
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        uint32_t wanted = world->changed.listeners[i].settings.max_connections;

        if (limit_max(&table_listener(world->table, i)->connections) != (wanted ? wanted : UINT32_MAX))
            world_fail(world, "listener %u has another limit than its configuration says", i);
    }
}

static void on_changing(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, changing);
    struct sim *sim = world->sim;

    draw_change(world, &world->changed);
    if (table_apply(world->table, &world->changed.config, NULL) < 0)
        abort();
    world->changes++;
    check_limits(world);
    note_allowed(world);
    memset(world->had_places, 0, sizeof(world->had_places)); /* a client may wait for a place of its listener now */
    sim_note(sim, NULL, "configuration changes", (int64_t)world->changed.config.pool_count);
    sim_look_at_eventfds(sim); /* a limit that grew has let somebody in */
    if (sim_chance(sim, 700))
        table_reclaim(world->table);
    if (world->changes < CHANGES_MAX && sim_chance(sim, 900))
        sim_arm(sim, event, sim_below(sim, 60000000));
}

void world_schedule_changes(struct world *world)
{
    note_allowed(world);
    world->changing.run = on_changing;
    if (sim_chance(world->sim, 300))
        sim_arm(world->sim, &world->changing, world->accept_ns + sim_below(world->sim, 300000000));
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
