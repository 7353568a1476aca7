/* test/sim/check_udp_shared.c: checks the flows of all workers after every turn, their limits, and what is left after the run. Test thread; owns nothing. */
#include <stdlib.h>
#include <string.h>

#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/sources.h"
#include "worker/udp.h"
#include "world.h"

enum { IDLE_SLACK_MS = 100 };

/* ---- counting ---- */

static struct udp_port *next_port(struct list *link)
{
    return container_of(link, struct udp_port, link);
}

uint32_t udp_flows(const struct world *world)
{
    uint32_t flows = 0;

    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next)
        flows += !next_port(link)->is_closing;
    return flows;
}

uint32_t udp_slots_of(const struct world *world, const struct backend *backend)
{
    uint32_t slots = 0;

    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next)
        slots += udp_flow_of(next_port(link))->lease.backend == backend;
    return slots;
}

static uint32_t flows_of_listener(const struct world *world, const struct listener *listener)
{
    uint32_t flows = 0;

    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next)
        flows += udp_flow_of(next_port(link))->lease.listener == listener;
    return flows;
}

/* Whether a flow counts for the source: of IPv4, an address; of IPv6, a network of 64 bits. */
static bool is_from(const struct flow_key *key, const union io_endpoint *source)
{
    if (key->client_port == 0 || key->family != source->sa.sa_family)
        return false;
    return key->family == AF_INET ? memcmp(key->client, &source->in.sin_addr, 4) == 0 : memcmp(key->client, &source->in6.sin6_addr, 8) == 0;
}

uint32_t udp_flows_of_source(const struct world *world, const struct listener *listener, const union io_endpoint *source)
{
    uint32_t flows = 0;

    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next) {
        const struct flow *flow = udp_flow_of(next_port(link));

        flows += flow->lease.listener == listener && is_from(&flow->entry.key, source);
    }
    return flows;
}

/* ---- limits ---- */

static uint32_t allowed_now(uint32_t max, uint32_t used)
{
    return max > used ? max : used;
}

void check_udp_note_limits(struct world *world)
{
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        const struct listener *listener = world_listener(world, i);

        if (listener)
            world->udp.flows_allowed[i] = allowed_now(limit_max(&listener->flows), limit_used(&listener->flows));
    }
}

static void check_limits(struct world *world)
{
    uint32_t flows = udp_flows(world), used = limit_used(&world->flows), sockets = 0, objects = 0;

    for (uint32_t i = 0; i < world->worker_count; i++)
        objects += world->members[i].worker->udp ? world->members[i].worker->udp->flows_slab.used : 0;
    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next)
        sockets++;
    if (used != flows || objects != sockets || used > limit_max(&world->flows))
        world_fail(world, "%u flows, %u sockets, %u objects, and %u of the limit of %u", flows, sockets, objects, used, limit_max(&world->flows));
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        const struct listener *listener = world_listener(world, i);
        uint32_t held = listener ? limit_used(&listener->flows) : 0;

        if (!listener)
            continue;
        if (held != flows_of_listener(world, listener) || !world_may_hold(&world->udp.flows_allowed[i], limit_max(&listener->flows), held))
            world_fail(world, "listener %s has %u flows by its limit of %u, and really %u", listener->name, held, limit_max(&listener->flows),
                       flows_of_listener(world, listener));
    }
}

/* ---- flows ---- */

static void check_flow(struct world *world, struct udp_port *port)
{
    const struct flow *flow = udp_flow_of(port);
    const struct pool_settings *settings, *longest;

    if (port->is_closing)
        return;
    settings = pool_settings(flow->lease.pool);
    longest = &world->longest[world_pool_of(flow->lease.backend)];
    if (flow->state == FLOW_UNBOUND && port->is_met)
        check_udp_superseded(world, port);
    if (flow->worker->stopping)
        world_fail(world, "port %u: lives on after the stop", port->conn->index);
    if (flow->worker->io->now_ns > port->active_ns + (longest->udp_idle_timeout_ms + IDLE_SLACK_MS) * MS)
        world_fail(world, "port %u: is idle and does not end", port->conn->index);
    if (settings->udp_responses > 0 && settings->udp_responses != UINT32_MAX && port->replies > 0 &&
        port->replies >= settings->udp_responses * flow->datagrams[0])
        world_fail(world, "port %u: has %u replies to %u requests and does not end", port->conn->index, port->replies, port->requests);
}

void check_udp_turn(struct member *member)
{
    struct world *world = member->world;

    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next) {
        if (next_port(link)->worker == member->worker->index)
            check_flow(world, next_port(link));
    }
    check_udp_settled(member);
    check_limits(world);
}

/* ---- when no worker has anything to do ---- */

void check_udp_waiting(struct world *world)
{
    for (struct list *link = world->sim->udp_sockets.next; link != &world->sim->udp_sockets; link = link->next) {
        const struct sim_udp *udp = container_of(link, struct sim_udp, link);
        const struct sim_conn *conn = udp->conn;
        const struct member *member = conn->engine ? &world->members[conn->engine->index] : NULL;

        if (!member || member->life == LIFE_ENDED || world->sim->now_ns < member->stalled_ns || conn->sock->closing)
            continue;
        if (sim_readable(conn) && (udp->is_connected || member->worker->accepting))
            world_fail(world, "socket %u: datagrams or an error wait, and the worker sleeps", conn->index);
    }
}

/* ---- after the run ---- */

void check_udp_end(struct world *world)
{
    if (limit_used(&world->flows) > 0 || !list_empty(&world->udp.ports) || !list_empty(&world->sim->udp_sockets))
        world_fail(world, "%u places of flows were not given back, or UDP sockets are left open", limit_used(&world->flows));
    for (uint32_t i = 0; i < world->udp.source_count; i++) {
        const struct udp_source *source = &world->udp.sources[i];
        struct listener *listener = world_listener(world, source->listener);

        if (!listener)
            continue;
        if (!sources_take(listener->sources, source->hash, 1))
            world_fail(world, "listener %s: a source still has flows after the end", listener->name);
        sources_give(listener->sources, source->hash);
    }
}

static void free_ports(struct list *ports)
{
    while (!list_empty(ports)) {
        struct udp_port *port = next_port(ports->next);

        list_remove(&port->link);
        free(port);
    }
}

void udp_dismantle(struct world *world)
{
    free_ports(&world->udp.ports);
    free_ports(&world->udp.closed_ports);
    for (uint32_t i = 0; i < UDP_WORKERS_MAX; i++) {
        free(world->udp.tallies[i].requests.list);
        free(world->udp.tallies[i].replies.list);
    }
}
