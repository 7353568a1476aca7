/* test/sim/world_ejection.c: ejects backends as the health thread does, and checks the rules that hold over all workers. Test thread; owns nothing. */
#include <stdlib.h>

#include "health/ejection.h"
#include "table/table.h"
#include "world.h"

static uint32_t count_ejected(const struct pool *pool)
{
    uint32_t count = 0;

    for (size_t i = 0; i < pool->backend_count; i++)
        count += backend_state_part(backend_state(pool->backends[i]), BACKEND_EJECTION) == BACKEND_EJECTED;
    return count;
}

/* Runs the ejection and checks what it did to each pool. */
static void run_checked(struct world *world)
{
    size_t usable[POOLS_MAX];
    uint32_t ejected[POOLS_MAX];

    for (size_t p = 0; p < table_pool_count(world->table); p++) {
        usable[p] = table_pool(world->table, p)->usable;
        ejected[p] = count_ejected(table_pool(world->table, p));
    }
    ejection_run(&world->ejection, world->sim->now_ns);
    for (size_t p = 0; p < table_pool_count(world->table); p++) {
        const struct pool *pool = table_pool(world->table, p);
        uint32_t now = count_ejected(pool);

        if (usable[p] > 0 && pool->usable == 0)
            world_fail(world, "pool %s: the last usable backend is ejected", pool->name);
        if (now > ejected[p] && now > pool->backend_count * pool_settings(pool)->eject_share_percent / 100)
            world_fail(world, "pool %s: %u of %zu backends are ejected", pool->name, now, pool->backend_count);
        if (now > 0 && pool_settings(pool)->eject_after == 0)
            world_fail(world, "pool %s: %u backends are ejected although eject_after is off", pool->name, now);
        sim_note(world->sim, NULL, "ejected", now);
    }
}

static void arm_ejection(struct world *world)
{
    uint64_t wake_ns = ejection_wake_ns(&world->ejection);

    if (world->publisher.pending && world->publisher.publish_at_ns < wake_ns)
        wake_ns = world->publisher.publish_at_ns;
    if (wake_ns != UINT64_MAX)
        sim_arm(world->sim, &world->ejecting, (wake_ns > world->sim->now_ns ? wake_ns - world->sim->now_ns : 0) + sim_below(world->sim, 1000000));
}

static void on_ejecting(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, ejecting);

    run_checked(world);
    publisher_run(&world->publisher, world->sim->now_ns);
    world_note_limits(world);
    evictions_review(world);
    arm_ejection(world);
}

static void tell_of_failure(void *health)
{
    struct world *world = health;

    ejection_alarm(&world->ejection, world->sim->now_ns);
    arm_ejection(world);
}

void world_ejection_probed(struct world *world, struct backend *backend, bool passed)
{
    ejection_note_probe(&world->ejection, backend, passed, 0, world->sim->now_ns);
    arm_ejection(world);
}

void world_ejection_applied(struct world *world)
{
    ejection_applied(&world->ejection, world->sim->now_ns);
    arm_ejection(world);
}

void world_ejection_begin(struct world *world)
{
    publisher_init(&world->publisher, world->table, &world->evictions.workers, world->sim->now_ns);
    ejection_init(&world->ejection, &world->publisher);
    world->ejecting.run = on_ejecting;
    world->shared.tell_of_failure = tell_of_failure;
    world->shared.health = world;
}
