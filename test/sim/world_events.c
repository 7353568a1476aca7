/* test/sim/world_events.c: what happens around the workers: clients arrive, backends go up and down, control gives orders, and sessions elsewhere lack
 * descriptors. Test thread; owns nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "table/mailbox.h"
#include "table/table.h"
#include "worker/mail.h"
#include "world.h"

/* ---- clients ---- */

static struct addr client_address(const struct pair *pair, bool local)
{
    struct addr client = {.length = sizeof(client.in)};

    if (local) {
        client.un.sun_family = AF_UNIX;
        client.length = sizeof(sa_family_t);
        return client;
    }
    client.in.sin_family = AF_INET;
    client.in.sin_addr.s_addr = 0x0100007f + pair->index;
    client.in.sin_port = (in_port_t)(pair->index + 1);
    return client;
}

static void on_arriving(struct sim_event *event)
{
    struct pair *pair = container_of(event, struct pair, arriving);
    struct world *world = pair->client.world;
    struct addr client = client_address(pair, world->listener_local[pair->listener]);

    pair->client.conn = sim_arrive(world->sim, world->listener_fds[pair->listener], world->worker_count, &client);
    pair->client.conn->peer = &pair->client;
    peer_start(&pair->client);
}

/* ---- backends ---- */

/* A probe, an agent or an administrator says something new about a backend. */
static void flip_backend(struct world *world, struct backend *live)
{
    struct sim *sim = world->sim;
    unsigned probe = backend_state_part(backend_state(live), BACKEND_PROBE);
    bool passed = probe == BACKEND_PROBE_DOWN || probe == BACKEND_PROBE_TIMED_OUT;

    if (sim_chance(sim, 150)) {
        table_set_state(world->table, live, BACKEND_ADMIN, sim_below(sim, BACKEND_ADMIN_MAINTENANCE + 1));
    } else if (sim_chance(sim, 700)) {
        probe = passed ? BACKEND_PROBE_UP : PICK(sim, BACKEND_PROBE_DOWN, BACKEND_PROBE_TIMED_OUT, BACKEND_PROBE_BUSY);
        table_set_state(world->table, live, BACKEND_PROBE, probe);
        world_ejection_probed(world, live, passed);
    } else if (sim_chance(sim, 500)) {
        struct capacity_weight weight = {.unit = PICK(sim, CAPACITY_AS_CONFIGURED, CAPACITY_PERCENT), .value = sim_below(sim, 101)};

        table_set_agent_weight(world->table, live, weight);
    } else {
        table_set_agent_limit(live, sim_below(sim, 4));
    }
}

static void on_flipping(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, flipping);
    struct sim *sim = world->sim;
    uint32_t pool = sim_below(sim, (uint32_t)table_pool_count(world->table));
    uint32_t position = sim_below(sim, (uint32_t)table_pool(world->table, pool)->backend_count);
    struct backend *live = table_backend(world->table, pool, position);

    if (sim_chance(sim, world->udp.is_on ? 950 : 800))
        sim_arm(sim, event, sim_below(sim, world->udp.is_on ? 100000000 : 400000000));
    if (world->quick && world_backend_of(live) == 0)
        return;
    flip_backend(world, live);
    (void)table_advance(world->table, sim->now_ns); /* a slow start grows at the next change of any backend, too */
    world_note_limits(world);
    if (table_publish(world->table) < 0)
        abort();
    evictions_review(world);
}

/* Notes that a session lacks a descriptor, without such a session. */
static void on_lacking(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, lacking);

    shortage_note(&world->shortage, world->sim->now_ns);
    if (sim_chance(world->sim, 700))
        sim_arm(world->sim, event, sim_below(world->sim, 300000000));
}

/* ---- orders ---- */

/* Gives an order as control does, also to a worker that has ended. */
static void order(struct member *member, enum worker_order what)
{
    mailbox_order(&member->world->mailboxes[member->worker->index], what);
    sim_look_at_eventfds(member->world->sim);
}

static void on_accepting(struct sim_event *event)
{
    order(container_of(event, struct member, accepting), ORDER_ACCEPT);
}

static void on_continuing(struct sim_event *event)
{
    struct member *member = container_of(event, struct member, continuing);

    sim_stop_process(member->world->sim);
    for (uint32_t i = 0; i < member->world->worker_count; i++)
        order(&member->world->members[i], ORDER_CONTINUED);
    if (member->life == LIFE_RUNNING && sim_chance(member->world->sim, 800))
        sim_arm(member->world->sim, event, sim_below(member->world->sim, 20000000));
}

static void on_draining(struct sim_event *event)
{
    order(container_of(event, struct member, draining), ORDER_DRAIN);
}

static void on_stopping(struct sim_event *event)
{
    order(container_of(event, struct member, stopping), ORDER_STOP);
}

/* ---- the plan ---- */

/* Maximum time between the same order to two workers. */
enum { ORDER_SPREAD_US = 3000 };

static uint64_t spread_ns(struct sim *sim)
{
    return (uint64_t)sim_below(sim, sim_chance(sim, 500) ? 1 : ORDER_SPREAD_US) * 1000;
}

void world_drain(struct world *world)
{
    for (uint32_t i = 0; i < world->worker_count; i++)
        sim_arm(world->sim, &world->members[i].draining, spread_ns(world->sim));
}

static void schedule_member(struct member *member)
{
    struct world *world = member->world;
    struct sim *sim = world->sim;
    uint64_t spread = spread_ns(sim);

    member->accepting.run = on_accepting;
    member->continuing.run = on_continuing;
    member->draining.run = on_draining;
    member->stopping.run = on_stopping;
    sim_arm(sim, &member->accepting, world->accept_ns + spread_ns(sim));
    if (world->continues && member->worker->index == 0)
        sim_arm(sim, &member->continuing, sim_below(sim, 20000000));
    if (world->drains)
        sim_arm(sim, &member->draining, world->end_ns + spread);
    if (world->stops)
        sim_arm(sim, &member->stopping, (world->late_rush ? world->end_ns : world->accept_ns + sim_below(sim, 5000) * MS / 4) + spread);
}

static uint64_t arrival_ns(struct world *world)
{
    struct sim *sim = world->sim;

    if (world->late_rush)
        return world->end_ns - ORDER_SPREAD_US * 1000 + sim_below(sim, 2 * ORDER_SPREAD_US) * 1000;
    return sim_below(sim, sim_chance(sim, 500) ? 1 : world->crowd ? 50000000 : 1000000000);
}

void world_schedule(struct world *world)
{
    struct sim *sim = world->sim;

    for (uint32_t i = 0; i < world->pair_count; i++) {
        world->pairs[i].arriving.run = on_arriving;
        sim_arm(sim, &world->pairs[i].arriving, arrival_ns(world));
    }
    world->flipping.run = on_flipping;
    world->lacking.run = on_lacking;
    if (world->lasting || sim_chance(sim, 400))
        sim_arm(sim, &world->flipping, sim_below(sim, 400000000));
    if (!world->quick && sim_chance(sim, 300))
        sim_arm(sim, &world->lacking, sim_below(sim, 300000000));
    world_schedule_changes(world);
    udp_schedule(world);
    for (uint32_t i = 0; i < world->worker_count; i++)
        schedule_member(&world->members[i]);
}
