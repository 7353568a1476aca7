/* test/sim/check_shared.c: checks the state that the workers share, after every turn. Test thread; owns nothing.
 *
 * A client that was accepted is in exactly one place: a worker's session, or a mailbox. */
#include "table/counters.h"
#include "table/intake.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/table.h"
#include "world.h"

/* The bit in the state of struct intake that means closed. */
#define INTAKE_CLOSED (UINT32_C(1) << 31)

uint32_t check_underway(const struct world *world, uint32_t worker)
{
    return world->intakes[worker].state & ~INTAKE_CLOSED;
}

/* ---- sessions and places ---- */

struct tally {
    uint32_t sessions, mails, of_listener[LISTENERS_MAX];
};

static void count_session(const struct world *world, const struct session *session, struct tally *tally)
{
    for (uint32_t i = 0; i < world->config.listener_count; i++)
        tally->of_listener[i] += session->lease.listener == world_listener(world, i);
}

static void count_sessions(struct world *world, const struct worker *worker, struct tally *tally)
{
    uint32_t sessions = 0, active = counters_active(worker->counters), mails = check_underway(world, worker->index);

    for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next) {
        sessions++;
        count_session(world, container_of(link, struct session, link), tally);
    }
    if (sessions != worker->sessions_slab.used)
        world_fail(world, "worker %u: %u sessions, but %u objects", worker->index, sessions, worker->sessions_slab.used);
    if (active != sessions + mails)
        world_fail(world, "worker %u: %u sessions and %u on their way, but %u counted", worker->index, sessions, mails, active);
    tally->sessions += sessions;
    tally->mails += mails;
}

/* Counts the accepted clients that no engine has: they are in a mailbox. */
static uint32_t count_mailed(const struct world *world, struct tally *tally)
{
    uint32_t mailed = 0;

    for (uint32_t i = 0; i < world->pair_count; i++) {
        const struct sim_conn *conn = world->pairs[i].client.conn;

        if (!conn || !conn->accepted || conn->sock || conn->released)
            continue;
        mailed++;
        tally->of_listener[world->pairs[i].listener]++;
    }
    return mailed;
}

static void check_counts(struct world *world)
{
    struct tally tally = {0};
    uint32_t mailed, of_pools, used = limit_used(&world->connections);

    for (uint32_t i = 0; i < world->worker_count; i++)
        count_sessions(world, world->members[i].worker, &tally);
    mailed = count_mailed(world, &tally);
    if (mailed != tally.mails)
        world_fail(world, "%u clients are being handed over, and %u counted", mailed, tally.mails);
    if (used != tally.sessions + mailed || used > limit_max(&world->connections))
        world_fail(world, "%u sessions and %u clients being handed over, but %u of the limit of %u", tally.sessions, mailed, used,
                   limit_max(&world->connections));
    of_pools = world_sessions_of_pools(world);
    if (of_pools != tally.sessions + mailed + udp_flows(world))
        world_fail(world, "%u sessions, %u clients being handed over, and %u flows, but %u that use a pool", tally.sessions, mailed, udp_flows(world),
                   of_pools);
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        const struct listener *listener = world_listener(world, i);
        uint32_t held = listener ? limit_used(&listener->connections) : 0, max = listener ? limit_max(&listener->connections) : 0;

        if (held != tally.of_listener[i] || (listener && !world_may_hold(&world->places_allowed[i], max, held)))
            world_fail(world, "listener %u has %u connections by its limit of %u, and really %u", i, held, max, tally.of_listener[i]);
    }
}

static uint32_t slots_of(const struct world *world, const struct backend *backend)
{
    uint32_t slots = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        struct list *sessions = &world->members[i].worker->sessions;

        for (struct list *link = sessions->next; link != sessions; link = link->next)
            slots += container_of(link, struct session, link)->lease.backend == backend;
    }
    return slots + udp_slots_of(world, backend);
}

static void check_backend(struct world *world, struct backend *backend)
{
    uint32_t slots = slots_of(world, backend), max = capacity_limit(backend);
    uint32_t *allowed = &world->slots_allowed[world_pool_of(backend)][world_backend_of(backend)][world_address_of(world, backend)];

    if (backend_in_flight(backend) != slots)
        world_fail(world, "backend %s has %u slots reserved by %u sessions", backend->name, backend_in_flight(backend), slots);
    if (backend->condemned && slots > 0)
        world_fail(world, "backend %s is condemned, and sessions use it", backend->name);
    if (!backend->condemned && !world_may_hold(allowed, max, slots))
        world_fail(world, "backend %s is above its limit", backend->name);
}

/* ---- pipes ---- */

static uint32_t pipes_of(struct world *world, const struct worker *worker)
{
    uint32_t open = 0;

    for (int size = 0; size < PIPE_SIZES; size++) {
        const struct pipe_shelf *shelf = &worker->pipes.shelves[size];

        open += shelf->open;
        for (uint32_t i = 0; i < shelf->idle_count; i++) {
            if (shelf->idle[i].bytes > 0 || world->sim->pipes[(shelf->idle[i].fds[0] & 0xfffff) / 2].length > 0)
                world_fail(world, "a pipe with bytes in it was pooled");
        }
    }
    return open;
}

static void check_pipes(struct world *world)
{
    uint32_t open = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (world->members[i].life != LIFE_ENDED)
            open += pipes_of(world, world->members[i].worker);
    }
    if (open != world->sim->pipes_open)
        world_fail(world, "%u pipes are open and %u counted", world->sim->pipes_open, open);
}

void check_shared(struct world *world)
{
    check_counts(world);
    world_each_backend(world, check_backend);
    check_pipes(world);
}

/* ---- a worker that ends ---- */

void check_member_end(struct member *member)
{
    struct world *world = member->world;
    const struct worker *worker = member->worker;

    if (check_underway(world, worker->index) > 0)
        world_fail(world, "worker %u ends with %u clients on their way to it", worker->index, check_underway(world, worker->index));
    if (worker->sessions_slab.used > 0 || counters_active(worker->counters) > 0)
        world_fail(world, "worker %u ends with %u sessions", worker->index, worker->sessions_slab.used);
    if (worker->replays_slab.used > 0)
        world_fail(world, "worker %u: %u replays were not given back", worker->index, worker->replays_slab.used);
    if (member->engine->io.buffers.slab.used > 0)
        world_fail(world, "worker %u: %u buffers were not given back", worker->index, member->engine->io.buffers.slab.used);
}
