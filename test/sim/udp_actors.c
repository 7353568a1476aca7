/* test/sim/udp_actors.c: simulated UDP clients and backends, and the network between them and the sockets of the workers. Test thread; owns the datagrams in
 * flight. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/backend.h"
#include "world.h"

enum { FLOOD_PORT = 10000, TRAIN_BYTES_MAX = 65535 };

/* A datagram or train on its way to a group, to a port (`conn`), or to a backend. */
struct flight {
    struct sim_event event;
    struct world *world;
    uint32_t group;
    struct sim_conn *conn;
    uint32_t pool, backend;
    struct sim_train train;
};

bool udp_endpoints_equal(const union io_endpoint *a, const union io_endpoint *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
           memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

bool udp_locals_equal(const struct io_local *a, const struct io_local *b)
{
    if (a->family != b->family || a->interface != b->interface)
        return false;
    return memcmp(&a->in6, &b->in6, a->family == AF_INET ? sizeof(a->in) : sizeof(a->in6)) == 0;
}

static struct flight *flight_new(struct world *world, void (*run)(struct sim_event *event))
{
    struct flight *flight = calloc(1, sizeof(*flight));

    if (!flight)
        abort();
    flight->world = world;
    flight->event.run = run;
    return flight;
}

static uint64_t latency_ns(struct world *world)
{
    return (uint64_t)sim_below(world->sim, world->udp.latency_us_max + 1) * 1000;
}

/* ---- clients ---- */

static void on_reaching_group(struct sim_event *event)
{
    struct flight *flight = container_of(event, struct flight, event);

    sim_note(flight->world->sim, NULL, sim_udp_arrive(flight->world->sim, flight->group, &flight->train) ? "datagrams arrive" : "datagrams are lost",
             flight->train.first);
    free(flight);
}

/* Sends the train. The network may lose it, or double it. What it sends later may arrive earlier. */
static void launch(struct world *world, uint32_t group, const struct sim_train *train)
{
    uint32_t copies = sim_chance(world->sim, world->udp.loss) ? 0 : sim_chance(world->sim, world->udp.doubling) ? 2 : 1;

    for (uint32_t i = 0; i < copies; i++) {
        struct flight *flight = flight_new(world, on_reaching_group);

        flight->group = group;
        flight->train = *train;
        sim_arm(world->sim, &flight->event, latency_ns(world));
    }
}

static void set_port(union io_endpoint *endpoint, uint16_t port)
{
    if (endpoint->sa.sa_family == AF_INET)
        endpoint->in.sin_port = htons(port);
    else
        endpoint->in6.sin6_port = htons(port);
}

/* Makes the source one to which no reply is possible. */
static void make_unanswerable(struct sim *sim, union io_endpoint *from)
{
    if (sim_chance(sim, 500))
        set_port(from, 0);
    else if (from->sa.sa_family == AF_INET)
        from->in.sin_addr.s_addr = htonl(sim_chance(sim, 500) ? INADDR_ANY : INADDR_BROADCAST);
    else
        from->in6.sin6_addr.s6_addr[0] = 0xff;
}

/* Draws a datagram or a train of at most `most` datagrams. */
static void draw_train(struct sim *sim, uint32_t most, uint32_t unit_bytes_max, bool v6, struct sim_train *train)
{
    uint32_t bytes_max = v6 ? 65527 : 65507;

    train->unit_bytes = sim_below(sim, unit_bytes_max + 1);
    if (unit_bytes_max == TRAIN_BYTES_MAX && sim_chance(sim, 300)) /* almost too large for a PROXY header */
        train->unit_bytes = bytes_max - sim_below(sim, 60);
    if (train->unit_bytes > bytes_max)
        train->unit_bytes = bytes_max;
    train->count = train->unit_bytes == 0 ? 1 : 1 + sim_below(sim, most);
    if (train->count * train->unit_bytes > TRAIN_BYTES_MAX)
        train->count = TRAIN_BYTES_MAX / train->unit_bytes;
    train->last_bytes = train->count > 1 && sim_chance(sim, 500) ? 1 + sim_below(sim, train->unit_bytes) : train->unit_bytes;
    train->first = sim_udp_number(sim, train->count);
}

/* Sends the datagrams of a train one by one. */
static void launch_each(struct world *world, uint32_t group, const struct sim_train *train)
{
    for (uint32_t i = 0; i < train->count; i++) {
        struct sim_train one = *train;

        one.first = train->first + i;
        one.count = 1;
        one.unit_bytes = one.last_bytes = sim_train_unit_bytes(train, i);
        launch(world, group, &one);
    }
}

/* Sends to a broadcast or multicast address. From the latter no reply can come: the kernel chooses an address of the interface. */
static void send_to_group(struct sim_train *train)
{
    train->to_group = true;
    if (train->to.family == AF_INET6)
        train->to = (struct io_local){.family = AF_INET6, .interface = SIM_INTERFACE};
}

static void on_sending(struct sim_event *event)
{
    struct udp_client *client = container_of(event, struct udp_client, sending);
    struct world *world = client->world;
    struct sim *sim = world->sim;
    struct sim_train train = {.from = client->from, .to = client->to};

    if (client->floods)
        set_port(&train.from, (uint16_t)(FLOOD_PORT + client->index * 100 + sim_below(sim, 100)));
    draw_train(sim, client->burst_max, client->unit_bytes_max, client->to.family == AF_INET6, &train);
    if (client->is_odd && sim_chance(sim, 200))
        make_unanswerable(sim, &train.from);
    if (world->udp.groups[client->group].is_wildcard && client->is_odd && sim_chance(sim, 200))
        send_to_group(&train);
    train.cut = client->is_odd && train.count == 1 && sim_chance(sim, 50);
    if (sim_chance(sim, client->trains))
        launch(world, client->group, &train);
    else
        launch_each(world, client->group, &train);
    if (--client->sends > 0)
        sim_arm(sim, event, (uint64_t)sim_below(sim, client->pause_us_max + 1) * 1000);
}

/* ---- backends ---- */

static void on_reaching_port(struct sim_event *event)
{
    struct flight *flight = container_of(event, struct flight, event);

    if (!sim_udp_reply(flight->conn, &flight->train))
        sim_note(flight->world->sim, flight->conn, "a reply is lost", flight->train.first);
    free(flight);
}

static void reply(struct world *world, struct sim_conn *conn, uint32_t count)
{
    struct sim *sim = world->sim;
    struct flight *flight = flight_new(world, on_reaching_port);
    const struct addr *addr = &conn->udp->addr;

    flight->conn = conn;
    draw_train(sim, 1, sim_chance(sim, 200) ? 3000 : 200, false, &flight->train);
    if (count > 1 && flight->train.unit_bytes > 0) {
        flight->train.count = count;
        (void)sim_udp_number(sim, count - 1);
    }
    memcpy(&flight->train.from, &addr->in6, addr_family(addr) == AF_INET ? sizeof(addr->in) : sizeof(addr->in6));
    sim_arm(sim, &flight->event, latency_ns(world) + (sim_chance(sim, 150) ? sim_below(sim, 400000000) : 0));
}

static void on_refused(struct sim_event *event)
{
    struct flight *flight = container_of(event, struct flight, event);

    sim_udp_refuse(flight->conn, ECONNREFUSED);
    free(flight);
}

static void on_reaching_backend(struct sim_event *event)
{
    struct flight *flight = container_of(event, struct flight, event);
    struct world *world = flight->world;
    struct sim *sim = world->sim;
    uint32_t responses = world->pools[flight->pool].settings.udp_responses, count;

    if (world->udp.refuses[flight->pool][flight->backend]) {
        flight->event.run = on_refused;
        sim_arm(sim, event, latency_ns(world));
        return;
    }
    count = responses == UINT32_MAX || sim_chance(sim, 150) ? sim_below(sim, 4) : responses;
    if (count > 1 && sim_chance(sim, 500)) {
        reply(world, flight->conn, count);
    } else {
        for (uint32_t i = 0; i < count; i++)
            reply(world, flight->conn, 1);
    }
    free(flight);
}

void udp_backend_takes(struct world *world, struct udp_port *port)
{
    const struct backend *backend = udp_flow_of(port)->lease.backend;
    struct flight *flight;

    if (world->udp.refuses[world_pool_of(backend)][world_backend_of(backend)] && world->udp.refuses_at_once) {
        sim_udp_refuse(port->conn, ECONNREFUSED);
        return;
    }
    if (sim_chance(world->sim, world->udp.loss))
        return;
    flight = flight_new(world, on_reaching_backend);
    flight->conn = port->conn;
    flight->pool = world_pool_of(backend);
    flight->backend = world_backend_of(backend);
    sim_arm(world->sim, &flight->event, latency_ns(world));
}

/* A backend's process stops or starts to listen on its port. */
static void on_refusing(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, udp.refusing);
    struct sim *sim = world->sim;
    uint32_t pool = sim_below(sim, (uint32_t)world->config.pool_count), backend = sim_below(sim, (uint32_t)world->pools[pool].backend_count);

    world->udp.refuses[pool][backend] = !world->udp.refuses[pool][backend];
    sim_note(sim, NULL, "backend refuses", world->udp.refuses[pool][backend]);
    if (sim_chance(sim, 900))
        sim_arm(sim, event, sim_below(sim, 200000000));
}

/* ---- the run ---- */

void udp_schedule(struct world *world)
{
    struct sim *sim = world->sim;

    for (uint32_t i = 0; i < world->udp.client_count; i++) {
        world->udp.clients[i].sending.run = on_sending;
        sim_arm(sim, &world->udp.clients[i].sending, sim_below(sim, sim_chance(sim, 500) ? 1 : 500000000));
    }
    world->udp.refusing.run = on_refusing;
    if (world->udp.is_on && sim_chance(sim, 400))
        sim_arm(sim, &world->udp.refusing, sim_below(sim, 200000000));
}

bool udp_is_busy(const struct world *world)
{
    if (!list_empty(&world->udp.ports))
        return true;
    for (struct list *link = world->sim->udp_sockets.next; link != &world->sim->udp_sockets; link = link->next) {
        if (!list_empty(&container_of(link, struct sim_udp, link)->queue))
            return true;
    }
    return false;
}
