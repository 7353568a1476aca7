/* test/sim/world_changes.c: changes the configuration while sessions run: listeners, pools and backends leave and come back, settings change, and listeners
 * lead to other pools. Test thread; owns nothing. */
#include <stdlib.h>
#include <string.h>

#include "table/objects.h"
#include "world.h"

enum { CHANGES_MAX = 40, RECLAIMS_MAX = 100 };

/* Draws some of the pool's backends, in any order. Some get another address, weight or limit. A quick run keeps the first backend as it is. */
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
        if (!is_kept)
            backend->addr = world->addresses[p][b][sim_chance(sim, 200) ? sim_below(sim, ADDRESSES_MAX) : 0];
        if (is_kept || !sim_chance(sim, 300))
            continue;
        backend->settings.weight = 1 + sim_below(sim, 5);
        backend->settings.max_connections = sim_below(sim, 4);
        backend->settings.drain_timeout_ms = sim_chance(sim, 500) || world->quick ? UINT32_MAX : sim_below(sim, 1000);
        backend->settings.backup = b > 0 && sim_chance(sim, 150);
        backend->settings.state = (enum config_backend_state)(sim_chance(sim, 400) ? sim_below(sim, 3) : 0);
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

/* A quick run keeps the settings with which its sessions end normally. `splice` never changes, because check_spliced() compares a session with the present
 * setting. */
static void draw_settings(struct world *world, struct pool_settings *settings)
{
    struct sim *sim = world->sim;

    settings->balance = (enum config_balance)sim_below(sim, 4);
    settings->hash_key = (enum config_hash_key)sim_below(sim, 2);
    settings->hash_prefix_v4 = (uint8_t)sim_below(sim, 33);
    settings->hash_table_size = sim_chance(sim, 300) ? 211 : 101;
    settings->slow_start_ms = PICK(sim, 0, 300, 3000);
    settings->panic_threshold_percent = (uint8_t)PICK(sim, 0, 0, 50, 100);
    settings->all_down = PICK(sim, CONFIG_ALL_DOWN_CLOSED, CONFIG_ALL_DOWN_OPEN);
    if (world->udp.is_on && sim_chance(sim, 400))
        udp_draw_pool_change(world, settings);
    if (world->quick || !sim_chance(sim, 400))
        return;
    settings->eject_after = sim_below(sim, 4);
    settings->eject_share_percent = (uint8_t)sim_below(sim, 101);
    settings->connect_timeout_ms = 50 + sim_below(sim, 2000);
    settings->idle_timeout_ms = 300 + sim_below(sim, 10000);
    settings->half_close_timeout_ms = 200 + sim_below(sim, 5000);
    settings->first_byte_timeout_ms = sim_chance(sim, 500) ? 0 : 50 + sim_below(sim, 3000);
    settings->lifetime_ms = sim_chance(sim, 500) ? 0 : 100 + sim_below(sim, 3000);
    settings->lifetime_jitter_percent = (uint8_t)sim_below(sim, 51);
    settings->lifetime_quiet_ms = sim_chance(sim, 500) ? 0 : 20 + sim_below(sim, 500);
    settings->retries = sim_below(sim, 4);
    if (world->deadly)
        settings->replay_bytes = sim_chance(sim, 500) ? 1000000 : sim_below(sim, 40000);
    settings->retry_backend = sim_chance(sim, 200) ? CONFIG_RETRY_SAME : CONFIG_RETRY_NEXT;
    settings->retry_timeout_ms = sim_chance(sim, 200) ? 1 + sim_below(sim, 3000) : 0;
    evictions_draw(world, settings);
}

static uint32_t greater_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The same for a limit that 0 switches off. */
static uint32_t later_of(uint32_t a_ms, uint32_t b_ms)
{
    return a_ms == 0 || b_ms == 0 ? 0 : greater_of(a_ms, b_ms);
}

static void note_longest(struct world *world, uint32_t pool, const struct pool_settings *settings)
{
    struct pool_settings *longest = &world->longest[pool];

    longest->connect_timeout_ms = greater_of(longest->connect_timeout_ms, settings->connect_timeout_ms);
    longest->idle_timeout_ms = greater_of(longest->idle_timeout_ms, settings->idle_timeout_ms);
    longest->half_close_timeout_ms = greater_of(longest->half_close_timeout_ms, settings->half_close_timeout_ms);
    longest->replay_bytes = greater_of(longest->replay_bytes, settings->replay_bytes);
    longest->first_byte_timeout_ms = later_of(longest->first_byte_timeout_ms, settings->first_byte_timeout_ms);
    longest->lifetime_ms = later_of(longest->lifetime_ms, settings->lifetime_ms);
    longest->lifetime_jitter_percent = (uint8_t)greater_of(longest->lifetime_jitter_percent, settings->lifetime_jitter_percent);
    longest->lifetime_quiet_ms = greater_of(longest->lifetime_quiet_ms, settings->lifetime_quiet_ms);
    longest->udp_idle_timeout_ms = greater_of(longest->udp_idle_timeout_ms, settings->udp_idle_timeout_ms);
    longest->retries = greater_of(longest->retries, settings->retries);
}

/* A listener that leaves keeps its live object and its settings, because the workers' acceptors refer to it. They continue to accept. If the configuration
 * has the listener again, it is the same object. A worker cannot yet open or close acceptors while it runs, so neither is simulated. A quick run keeps all
 * listeners, because the pool of a listener that has left may leave too. */
static void draw_listeners(struct world *world, struct changed *changed)
{
    struct sim *sim = world->sim;
    size_t count = 0;

    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        struct config_listener *listener = &changed->listeners[count];

        if (!world->quick && sim_chance(sim, 200) && !(count == 0 && i + 1 == world->config.listener_count))
            continue;
        *listener = world->listeners[i];
        listener->pool = sim_below(sim, (uint32_t)changed->config.pool_count);
        if (!world->quick && sim_chance(sim, 300))
            listener->settings.max_connections = sim_below(sim, 5);
        if (world->udp.is_on && sim_chance(sim, 300))
            udp_draw_listener(world, &listener->settings);
        count++;
    }
    changed->config.listeners = changed->listeners;
    changed->config.listener_count = count;
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
        draw_settings(world, &pool->settings);
        note_longest(world, p, &pool->settings);
        evictions_note_settings(world, p, &pool->settings);
        draw_backends(world, changed, p, pool);
        changed->config.pool_count++;
    }
    changed->config.pools = changed->pools;
    if (sim_chance(sim, 200))
        changed->config.seed = 1 + sim_below(sim, 1000);
    draw_listeners(world, changed);
}

/* If more than the limit are in use, because it was lowered, those stay. */
static uint32_t allowed_now(uint32_t max, uint32_t used)
{
    return max == 0 ? UINT32_MAX : max > used ? max : used;
}

static void note_slots(struct world *world, struct backend *backend)
{
    uint32_t *allowed = &world->slots_allowed[world_pool_of(backend)][world_backend_of(backend)][world_address_of(world, backend)];

    if (!backend->condemned)
        *allowed = allowed_now(capacity_limit(backend), backend_in_flight(backend));
}

void world_note_limits(struct world *world)
{
    world_each_backend(world, note_slots);
}

static void note_allowed(struct world *world)
{
    world_note_limits(world);
    check_udp_note_limits(world);
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        const struct listener *listener = world_listener(world, i);

        if (listener)
            world->places_allowed[i] = allowed_now(limit_max(&listener->connections), limit_used(&listener->connections));
    }
}

bool world_may_hold(uint32_t *allowed, uint32_t max, uint32_t used)
{
    if (used > *allowed)
        return false;
    *allowed = allowed_now(max, used);
    return true;
}

static void check_listeners(struct world *world)
{
    for (uint32_t i = 0; i < world->changed.config.listener_count; i++) {
        uint32_t wanted = world->changed.listeners[i].settings.max_connections;

        if (limit_max(&table_listener(world->table, i)->connections) != (wanted ? wanted : UINT32_MAX))
            world_fail(world, "listener %s has another limit than its configuration says", world->changed.listeners[i].name);
    }
}

static void check_pools(struct world *world)
{
    for (size_t p = 0; p < world->changed.config.pool_count; p++) {
        const struct config_pool *wanted = &world->changed.pools[p];

        if (!pool_settings_equal(pool_settings(table_pool(world->table, p)), &wanted->settings))
            world_fail(world, "pool %s has other settings than its configuration says", wanted->name);
        for (size_t b = 0; b < wanted->backend_count; b++) {
            const struct backend *backend = table_backend(world->table, p, b);

            if (!addr_equal(&backend->addr, &wanted->backends[b].addr) || !backend_settings_equal(backend_settings(backend), &wanted->backends[b].settings))
                world_fail(world, "backend %s has another address or other settings than its configuration says", wanted->backends[b].name);
        }
    }
}

static void on_changing(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, changing);
    struct sim *sim = world->sim;
    struct table_change change;

    draw_change(world, &world->changed);
    if (table_apply(world->table, &world->changed.config, &change) < 0)
        abort();
    world_ejection_applied(world);
    if (change.pools.added + change.pools.retired > 0)
        evictions_note_pools(world);
    evictions_review(world);
    world->changes++;
    check_listeners(world);
    check_pools(world);
    note_allowed(world);
    memset(world->had_places, 0, sizeof(world->had_places)); /* a client may wait for a place of its listener now */
    sim_note(sim, NULL, "configuration changes", (int64_t)world->changed.config.pool_count);
    sim_look_at_eventfds(sim); /* if a limit was raised, a worker has been notified */
    if (!world->reclaiming.armed)
        sim_arm(sim, &world->reclaiming, sim_below(sim, 30000000));
    if (world->changes < CHANGES_MAX && sim_chance(sim, 900))
        sim_arm(sim, event, sim_below(sim, 60000000));
}

/* Frees what has been retired, at moments that do not depend on the changes. */
static void on_reclaiming(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, reclaiming);
    struct sim *sim = world->sim;

    table_reclaim(world->table);
    sim_note(sim, NULL, "reclaimed", (int64_t)table_retired(world->table));
    if (table_retired(world->table) > 0 && ++world->reclaims < RECLAIMS_MAX)
        sim_arm(sim, event, sim_below(sim, 30000000));
}

void world_schedule_changes(struct world *world)
{
    note_allowed(world);
    for (uint32_t p = 0; p < world->config.pool_count; p++)
        world->longest[p] = world->pools[p].settings;
    world->reclaiming.run = on_reclaiming;
    world->changing.run = on_changing;
    if (sim_chance(world->sim, 300))
        sim_arm(world->sim, &world->changing, world->accept_ns + sim_below(world->sim, 300000000));
}
