/* test/sim/check_udp_flow.c: checks when a flow begins and ends, and that a client's datagrams have one flow at a time. Test thread; owns the ports. */
#include <stdlib.h>
#include <string.h>

#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/snapshot.h"
#include "worker/udp.h"
#include "world.h"

#define BURST_NS ((uint64_t)100000000) /* of flow_rate (worker/udp_flow.c) */

static struct world *world_of(const struct sim_engine *engine)
{
    return engine->sim->options.owner;
}

/* ---- the beginning ---- */

static void on_connected(struct sim_engine *engine, struct sim_conn *conn)
{
    struct world *world = world_of(engine);
    const struct worker *worker = world->members[engine->index].worker;
    struct udp_port *port;

    if (worker->draining && !world->udp.tallies[engine->index].is_replacing)
        world_fail(world, "a flow begins while its worker drains");
    if (!conn) {
        world->udp.tallies[engine->index].lacks++;
        return;
    }
    port = calloc(1, sizeof(*port));
    if (!port)
        abort();
    *port = (struct udp_port){.conn = conn, .worker = engine->index, .opened_turn = world->turns, .active_ns = engine->io.now_ns};
    conn->udp->owner = port;
    list_append(&world->udp.closed_ports, &port->link);
}

/* Between any two moments, no more flows may begin than the rate allows (table/rate.h). The check knows only the flows that have got a socket. */
static void check_rate(struct world *world, const struct listener *listener, uint64_t now_ns)
{
    uint32_t rate = listener_settings(listener)->flow_rate;

    for (uint32_t i = 0; i < world->config.listener_count && rate > 0; i++) {
        uint64_t *due_ns = &world->udp.rate_due_ns[i];

        if (listener != world_listener(world, i))
            continue;
        if (*due_ns > now_ns + BURST_NS)
            world_fail(world, "listener %s: more flows begin than its flow_rate allows", listener->name);
        *due_ns = (*due_ns > now_ns ? *due_ns : now_ns) + UINT64_C(1000000000) / rate;
    }
}

static void on_opened(struct sim_engine *engine, struct sim_conn *conn, bool succeeded)
{
    struct world *world = world_of(engine);
    struct udp_port *port = udp_port_of(conn);

    if (!succeeded) {
        world->udp.tallies[engine->index].lacks++;
        return;
    }
    list_remove(&port->link);
    list_append(&world->udp.ports, &port->link);
    world->udp.tallies[engine->index].opened++;
    if (!world->udp.tallies[engine->index].is_replacing)
        check_rate(world, udp_flow_of(port)->lease.listener, engine->io.now_ns);
    world->udp.tallies[engine->index].is_replacing = false;
}

/* ---- the first datagram ---- */

static void read_owner(struct world *world, const struct udp_port *port, struct udp_owner *owner)
{
    const struct flow_key *key = &udp_flow_of(port)->entry.key;

    *owner = (struct udp_owner){
        .is_shared = key->client_port == 0, .backend = key->backend, .listening = sim_conn_find(world->sim, key->socket->sock.fd), .to.family = AF_UNSPEC};
    owner->client.sa.sa_family = key->family;
    if (key->family == AF_INET) {
        owner->client.in.sin_port = key->client_port;
        memcpy(&owner->client.in.sin_addr, key->client, 4);
    } else {
        owner->client.in6.sin6_port = key->client_port;
        owner->client.in6.sin6_scope_id = key->client_scope;
        memcpy(&owner->client.in6.sin6_addr, key->client, 16);
    }
    if (!addr_is_wildcard(&owner->listening->udp->addr))
        return;
    owner->to = (struct io_local){.family = key->family, .interface = key->local_interface};
    memcpy(&owner->to.in6, key->local, key->family == AF_INET ? 4 : 16);
}

static bool is_same_owner(const struct udp_owner *a, const struct udp_owner *b)
{
    return a->is_shared == b->is_shared && a->listening == b->listening && a->backend == b->backend && udp_locals_equal(&a->to, &b->to) &&
           (a->is_shared || udp_endpoints_equal(&a->client, &b->client));
}

void check_udp_superseded(struct world *world, struct udp_port *port)
{
    const struct pool_settings *settings = pool_settings(listener_pool(udp_flow_of(port)->entry.key.socket->listener));
    bool is_used_up = !port->owner.backend && settings->udp_requests > 0 && udp_flow_of(port)->datagrams[0] >= settings->udp_requests;
    bool is_replaced = port->owner.backend && world->udp.tallies[port->worker].lacks > 0; /* no socket to the backend that was selected could be made */

    if (!port->is_closing && !port->is_superseded && !is_used_up && !is_replaced)
        world_fail(world, "port %u: its client has got a second flow", port->conn->index);
    port->is_superseded = true;
}

/* Another flow of the same client exists. The order of the client's datagrams continues. */
static void check_sibling(struct world *world, struct udp_port *port, struct udp_port *other)
{
    check_udp_superseded(world, other);
    if (other->batch >= port->batch && !port->owner.backend) {
        port->position = other->batch > port->batch || other->position > port->position ? other->position : port->position;
        port->batch = other->batch;
    }
}

static void check_choice(struct world *world, const struct udp_port *port)
{
    const struct flow *flow = udp_flow_of(port);
    const struct listener *listener = flow->lease.listener;
    const struct pool_settings *settings = pool_settings(listener_pool(listener));
    const struct snapshot_pool *pool = snapshot_find(flow->worker->snapshot, flow->lease.pool);
    bool is_usable = false;

    for (uint32_t i = 0; pool && i < pool->usable_count; i++)
        is_usable |= pool->usable[i].backend == flow->lease.backend;
    if (!is_usable || flow->lease.pool != listener_pool(listener))
        world_fail(world, "port %u: begins with a backend that is not usable, or of another pool", port->conn->index);
    if (port->owner.is_shared != (settings->udp_responses == 0) || (port->owner.backend != NULL) != (settings->udp_responses == 0 || settings->udp_per_packet))
        world_fail(world, "port %u: is not the kind of flow that its pool says", port->conn->index);
    if (port->owner.backend && port->owner.backend != flow->lease.backend)
        world_fail(world, "port %u: belongs to another backend than its key says", port->conn->index);
}

static void check_source(struct world *world, const struct udp_port *port)
{
    const struct listener *listener = udp_flow_of(port)->lease.listener;
    uint32_t max = listener_settings(listener)->max_flows_per_source, flows;

    if (port->owner.is_shared || max == 0)
        return;
    flows = udp_flows_of_source(world, listener, &port->owner.client);
    if (flows > max)
        world_fail(world, "port %u: begins while its source has %u other flows, and it may have %u", port->conn->index, flows - 1, max);
}

void check_udp_met(struct world *world, struct udp_port *port)
{
    port->is_met = true;
    read_owner(world, port, &port->owner);
    for (struct list *link = world->udp.ports.next; link != &world->udp.ports; link = link->next) {
        struct udp_port *other = container_of(link, struct udp_port, link);

        if (other != port && other->worker == port->worker && other->is_met && is_same_owner(&other->owner, &port->owner))
            check_sibling(world, port, other);
    }
    if (port->opened_turn != world->turns) /* what it began with may have changed */
        return;
    check_choice(world, port);
    check_source(world, port);
}

static void on_sending(struct sim_conn *conn)
{
    if (conn->udp->is_connected && !udp_port_of(conn)->is_met)
        check_udp_met(conn->sim->options.owner, udp_port_of(conn));
    check_udp_sending(conn);
}

static void on_send_failed(struct sim_conn *conn, int error)
{
    (void)error;
    if (conn->udp->is_connected)
        udp_port_of(conn)->failures++;
}

static void on_receive_failed(struct sim_conn *conn, int error)
{
    struct world *world = conn->sim->options.owner;

    if (!conn->udp->is_connected || !check_udp_is_refusal(-error))
        return;
    udp_port_of(conn)->is_refused = true;
    world->udp.tallies[conn->engine->index].refusals++;
}

/* ---- the end ---- */

static void check_reason(struct world *world, const struct udp_port *port, const struct flow *flow)
{
    const struct pool_settings *settings = pool_settings(flow->lease.pool);

    switch (flow->end) {
    case FLOW_IDLE:
        if (flow->worker->io->now_ns + 2 * MS < port->active_ns + settings->udp_idle_timeout_ms * MS)
            world_fail(world, "port %u: is called idle after %llu ms of %u", port->conn->index,
                       (unsigned long long)((flow->worker->io->now_ns - port->active_ns) / MS), settings->udp_idle_timeout_ms);
        break;
    case FLOW_ANSWERED:
        if (settings->udp_responses == 0 || settings->udp_responses == UINT32_MAX || port->replies < (uint64_t)settings->udp_responses * port->requests)
            world_fail(world, "port %u: is called answered after %u requests and %u replies", port->conn->index, port->requests, port->replies);
        break;
    case FLOW_BACKEND_DOWN:
        if (!port->is_refused && (backend_standing(flow->lease.backend) != BACKEND_DOWN || backend_serves(flow->lease.backend)) &&
            backend_eviction(flow->lease.backend) == EVICTION_NONE &&
            !backend_refuses(flow->lease.backend, flow->worker->io->now_ns))
            world_fail(world, "port %u: ends because its backend is down, which it is not", port->conn->index);
        break;
    case FLOW_KILLED:
        surveys_check_killed_flow(world, flow);
        break;
    default:
        if (!flow->worker->stopping)
            world_fail(world, "port %u: ends for reason %d", port->conn->index, (int)flow->end);
    }
}

/* Checks what the access log says about the flow. */
static void check_totals(struct world *world, const struct udp_port *port, const struct flow *flow)
{
    if (flow->datagrams[0] < port->requests || flow->datagrams[1] != port->replies || flow->bytes[0] != port->bytes[0] || flow->bytes[1] != port->bytes[1])
        world_fail(world, "port %u: ends with wrong totals", port->conn->index);
}

static void note_source(struct udp_world *udp, const struct flow *flow, uint32_t listener)
{
    for (uint32_t i = 0; i < udp->source_count; i++) {
        if (udp->sources[i].listener == listener && udp->sources[i].hash == flow->source_hash)
            return;
    }
    if (udp->source_count < UDP_SOURCES_MAX)
        udp->sources[udp->source_count++] = (struct udp_source){.listener = listener, .hash = flow->source_hash};
}

static void on_closing(struct sim_conn *conn)
{
    struct world *world = conn->sim->options.owner;
    struct udp_port *port = udp_port_of(conn);
    const struct flow *flow;

    if (!port) { /* a bound socket */
        const struct worker *worker = world->members[conn->engine->index].worker;

        if (!worker->draining || (!worker->stopping && limit_used(&world->flows) > 0))
            world_fail(world, "a UDP socket is closed although flows exist");
        return;
    }
    flow = udp_flow_of(port);
    sim_note(conn->sim, conn, "flow ends", flow->end);
    port->is_closing = true;
    if (flow->end == FLOW_BACKEND_DOWN)
        world->udp.tallies[conn->engine->index].is_replacing = true;
    check_reason(world, port, flow);
    check_totals(world, port, flow);
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        if (flow->counts_source && flow->lease.listener == world_listener(world, i))
            note_source(&world->udp, flow, i);
    }
}

static void on_closed(struct sim_conn *conn)
{
    struct world *world = conn->sim->options.owner;
    struct udp_port *port = udp_port_of(conn);

    if (!port)
        return;
    list_remove(&port->link);
    list_append(&world->udp.closed_ports, &port->link);
}

const struct sim_udp_hooks check_udp_hooks = {
    .connected = on_connected,
    .opened = on_opened,
    .receiving = check_udp_receiving,
    .received = check_udp_received,
    .receive_failed = on_receive_failed,
    .sending = on_sending,
    .send_failed = on_send_failed,
    .taken = check_udp_taken,
    .sent = check_udp_sent,
    .closing = on_closing,
    .closed = on_closed,
};
