/* test/sim/udp_config.c: what a seed chooses for UDP before the run: settings, sockets, and clients. Test thread; owns nothing. */
#include <arpa/inet.h>
#include <string.h>

#include "world.h"

enum { PORT = 53 };

/* ---- settings ---- */

/* `udp_responses`, `udp_per_packet` and `proxy_protocol` stay as they are, because they decide which flows a datagram may use. */
void udp_draw_pool_change(struct world *world, struct pool_settings *settings)
{
    settings->udp_idle_timeout_ms = PICK(world->sim, 20, 300, 300, 5000);
    settings->udp_requests = PICK(world->sim, 0, 0, 0, 1, 3);
}

void udp_draw_pool(struct world *world, struct pool_settings *settings)
{
    struct sim *sim = world->sim;

    udp_draw_pool_change(world, settings);
    settings->udp_responses = PICK(sim, UINT32_MAX, UINT32_MAX, UINT32_MAX, 1, 2, 0);
    if (sim_chance(sim, 200)) {
        settings->hash_key = CONFIG_HASH_QUIC_CID;
        settings->hash_cid_bytes = 4;
    }
    settings->udp_per_packet = sim_chance(sim, 150);
    settings->proxy_protocol = PICK(sim, CONFIG_PROXY_OFF, CONFIG_PROXY_OFF, CONFIG_PROXY_OFF, CONFIG_PROXY_V2, CONFIG_PROXY_V2_FIRST);
}

void udp_draw_listener(struct world *world, struct listener_settings *settings)
{
    struct sim *sim = world->sim;

    settings->max_flows = PICK(sim, 0, 0, 0, 1, 3, 10);
    settings->max_flows_per_source = PICK(sim, 0, 0, 0, 1, 2, 5);
    settings->flow_rate = PICK(sim, 0, 0, 0, 1, 20, 1000);
}

/* ---- sockets ---- */

static void set_local(struct io_local *local, const char *text, uint32_t interface)
{
    *local = (struct io_local){.family = strchr(text, ':') ? AF_INET6 : AF_INET, .interface = interface};
    (void)inet_pton(local->family, text, local->family == AF_INET ? (void *)&local->in : &local->in6);
}

/* One of the addresses of this machine. A socket that is bound to a single address has the first one of its family. */
static struct io_local draw_local(struct sim *sim, const struct udp_group *group)
{
    static const char *const v4[] = {"10.9.0.1", "10.9.0.2", "127.0.0.1"}, *const v6[] = {"2001:db8:9::1", "2001:db8:9::2", "fe80::9"};
    uint32_t i = group->is_wildcard ? sim_below(sim, 3) : 0;
    struct io_local local;

    if (addr_family(&group->addr) == AF_INET)
        set_local(&local, v4[i], 0);
    else
        set_local(&local, v6[i], i == 2 ? SIM_INTERFACE : 0);
    return local;
}

static void draw_group(struct world *world, uint32_t g)
{
    struct sim *sim = world->sim;
    struct udp_group *group = &world->udp.groups[g];
    bool v6 = sim_chance(sim, 400);
    struct io_local local;

    *group = (struct udp_group){.listener = sim_below(sim, (uint32_t)world->config.listener_count), .is_wildcard = sim_chance(sim, 500)};
    if (v6) {
        group->addr.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)(PORT + g))};
        group->addr.length = sizeof(group->addr.in6);
    } else {
        group->addr.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(PORT + g))};
        group->addr.length = sizeof(group->addr.in);
    }
    local = draw_local(sim, group);
    if (!group->is_wildcard && v6)
        group->addr.in6.sin6_addr = local.in6;
    else if (!group->is_wildcard)
        group->addr.in.sin_addr = local.in;
    for (uint32_t w = 0; w < world->worker_count; w++)
        group->fds[w] = sim_udp_bind(sim, &group->addr, g, world->udp.queue_bytes_max);
}

/* ---- clients ---- */

static void set_client_address(struct sim *sim, struct udp_client *client, const struct udp_group *group)
{
    uint16_t port = htons((uint16_t)(2000 + client->index));
    uint32_t host = sim_below(sim, 3); /* some clients share an address, and some a network */

    client->to = draw_local(sim, group);
    if (client->to.family == AF_INET) {
        client->from.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(0xc0000201 + host)};
        return;
    }
    client->from.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = client->to.interface};
    (void)inet_pton(AF_INET6, client->to.interface ? "fe80::1" : "2001:db8::1", &client->from.in6.sin6_addr);
    client->from.in6.sin6_addr.s6_addr[7] = client->to.interface ? 0 : (uint8_t)host;
    client->from.in6.sin6_addr.s6_addr[14] = (uint8_t)sim_below(sim, 2);
}

static void draw_client(struct world *world, uint32_t i)
{
    struct sim *sim = world->sim;
    struct udp_client *client = &world->udp.clients[i];

    *client = (struct udp_client){
        .world = world,
        .index = i,
        .group = sim_below(sim, world->udp.group_count),
        .sends = 1 + sim_below(sim, PICK(sim, 1, 5, 20, 60, 60)),
        .burst_max = PICK(sim, 1, 1, 4, 64, 64),
        .unit_bytes_max = PICK(sim, 0, 3, 100, 1200, 1500, 9000, 65535),
        .pause_us_max = PICK(sim, 0, 100, 5000, 50000, 100000, 600000),
        .trains = PICK(sim, 0, 500, 1000),
        .floods = sim_chance(sim, 150),
        .is_odd = sim_chance(sim, 150),
    };
    set_client_address(sim, client, &world->udp.groups[client->group]);
}

void udp_draw(struct world *world)
{
    struct sim *sim = world->sim;
    struct udp_world *udp = &world->udp;

    udp->group_count = 1 + sim_below(sim, UDP_GROUPS_MAX);
    udp->client_count = 1 + sim_below(sim, PICK(sim, 2, 8, UDP_CLIENTS_MAX));
    udp->queue_bytes_max = PICK(sim, 2000, 70000, 400000, 400000);
    udp->loss = PICK(sim, 0, 0, 50);
    udp->doubling = PICK(sim, 0, 0, 50);
    udp->latency_us_max = PICK(sim, 0, 50, 2000);
    udp->refuses_at_once = sim_chance(sim, 500);
    sim->options.mtu = PICK(sim, 1280, 1500, 9000, 65536);
    sim->options.no_trains = sim_chance(sim, 100);
    sim->options.chances.interrupted = PICK(sim, 0, 0, 20);
    sim->options.chances.no_room = PICK(sim, 0, 0, 20, 300);
    sim->options.chances.not_sent = PICK(sim, 0, 0, 20, 300);
    sim->options.chances.no_port = PICK(sim, 0, 0, 20, 300);
    for (uint32_t g = 0; g < udp->group_count; g++)
        draw_group(world, g);
    for (uint32_t i = 0; i < udp->client_count; i++)
        draw_client(world, i);
}
