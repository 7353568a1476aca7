/* test/sim/world_config.c: what a seed chooses before the run: the configuration, the limits, the clients, and what fails. Test thread; owns nothing. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static struct addr address(uint32_t ip, uint16_t port)
{
    struct addr addr = {.length = sizeof(addr.in)};

    addr.in.sin_family = AF_INET;
    addr.in.sin_addr.s_addr = htonl(ip);
    addr.in.sin_port = htons(port);
    return addr;
}

static struct addr local_address(uint32_t pool, uint32_t backend, uint32_t variant)
{
    struct addr addr = {.length = sizeof(addr.un)};

    addr.un.sun_family = AF_UNIX;
    (void)snprintf(addr.un.sun_path, sizeof(addr.un.sun_path), "/%u/%u/%u", pool, backend, variant);
    return addr;
}

static void draw_addresses(struct world *world, uint32_t p, uint32_t b)
{
    for (uint32_t i = 0; i < ADDRESSES_MAX; i++)
        world->addresses[p][b][i] = !world->udp.is_on && sim_chance(world->sim, 250) ? local_address(p, b, i)
                                                                                     : address(0x0a000100u + 256 * p + i, (uint16_t)(1000 + b));
}

static void draw_pool(struct world *world, uint32_t p)
{
    static char names[POOLS_MAX][BACKENDS_MAX][8];
    struct sim *sim = world->sim;
    struct config_pool *pool = &world->pools[p];

    *pool = (struct config_pool){
        .name = p == 0 ? "a" : "b",
        .backends = world->backends[p],
        .backend_count = !world->quick && sim_chance(sim, 100) ? BACKENDS_MAX : 1 + sim_below(sim, 4),
        .settings.balance = (enum config_balance)sim_below(sim, 4),
        .settings.hash_prefix_v4 = 32,
        .settings.hash_prefix_v6 = 128,
        .settings.hash_table_size = 101,
        .settings.check_initial_up = true,
        .settings.connect_timeout_ms = PICK(sim, 50, 200, 2000),
        .settings.idle_timeout_ms = PICK(sim, 300, 5000, 60000, 60000),
        .settings.half_close_timeout_ms = PICK(sim, 200, 3000, 30000, 30000),
        .settings.first_byte_timeout_ms = PICK(sim, 0, 0, 50, 500, 3000),
        .settings.lifetime_ms = PICK(sim, 0, 0, 0, 100, 1000),
        .settings.lifetime_jitter_percent = (uint8_t)sim_below(sim, 51),
        .settings.lifetime_quiet_ms = PICK(sim, 0, 20, 200),
        .settings.retries = sim_below(sim, 4),
        .settings.retry_backend = !world->quick && sim_chance(sim, 200) ? CONFIG_RETRY_SAME : CONFIG_RETRY_NEXT,
        .settings.retry_timeout_ms = !world->quick && sim_chance(sim, 200) ? 1 + sim_below(sim, 3000) : 0,
        .settings.splice = (enum config_splice)sim_below(sim, 3),
        .settings.rise = 1,
        .settings.eject_after = world->quick ? 0 : PICK(sim, 0, 1, 2, 5),
        .settings.eject_time_ms = PICK(sim, 10, 50, 500),
        .settings.eject_time_max_ms = 2000,
        .settings.eject_share_percent = (uint8_t)PICK(sim, 0, 50, 100),
        .settings.slow_start_ms = PICK(sim, 0, 300, 3000),
        .settings.panic_threshold_percent = (uint8_t)PICK(sim, 0, 0, 50, 100),
        .settings.all_down = PICK(sim, CONFIG_ALL_DOWN_CLOSED, CONFIG_ALL_DOWN_OPEN),
    };
    if (world->quick) {
        pool->settings.connect_timeout_ms = 20000;
        pool->settings.idle_timeout_ms = 3600000;
        pool->settings.half_close_timeout_ms = 3600000;
        pool->settings.first_byte_timeout_ms = 0;
        pool->settings.lifetime_ms = 0;
    }
    evictions_draw(world, &pool->settings);
    if (world->lasting)
        pool->settings.idle_timeout_ms = 60000;
    if (world->deadly)
        pool->settings.replay_bytes = world->quick || sim_chance(sim, 500) ? 1000000 : sim_below(sim, 40000);
    if (world->udp.is_on)
        udp_draw_pool(world, &pool->settings);
    if (world->rough)
        pool->settings.splice = CONFIG_SPLICE_ALWAYS;
    for (uint32_t b = 0; b < pool->backend_count; b++) {
        (void)snprintf(names[p][b], sizeof(names[p][b]), "%c%u", 'a' + (int)p, b);
        draw_addresses(world, p, b);
        world->backends[p][b] = (struct config_backend){
            .name = names[p][b],
            .addr = world->addresses[p][b][0],
            .settings.weight = 1 + sim_below(sim, 3),
            .settings.max_connections = world->lasting ? 0 : PICK(sim, 0, 0, 1, 2, 5),
            .settings.drain_timeout_ms = pool->settings.drain_timeout_ms,
            .settings.backup = b > 0 && sim_chance(sim, 150),
        };
        world->mood[p][b] = world->lasting ? 1000 : pool->backend_count == BACKENDS_MAX ? 50 : PICK(sim, 1000, 1000, 900, 500, 0);
    }
}

static struct sim_chances draw_chances(struct world *world, struct sim *sim)
{
    struct sim_chances chances = {
        .short_read = PICK(sim, 0, 100, 500),
        .short_write = PICK(sim, 0, 100, 500),
        .again = PICK(sim, 0, 20, 200),
        .spurious = PICK(sim, 0, 0, 10, 100),
        .late = PICK(sim, 0, 10, 200),
        .unspliceable = world->rough ? 500 : PICK(sim, 0, 0, 200),
        .no_pipe = PICK(sim, 0, 0, 300),
        .small_pipe = PICK(sim, 0, 0, 300),
        .no_buffer = PICK(sim, 0, 0, 0, 300),
        .no_ring = PICK(sim, 0, 0, 0, 20),
        .no_request = PICK(sim, 0, 0, 0, 200),
        .full_queue = PICK(sim, 0, 0, 10, 300),
        .missed = PICK(sim, 0, 0, 300),
        .ended_early = PICK(sim, 0, 0, 200),
    };

    if (!world->quick) {
        chances.no_descriptor = PICK(sim, 0, 0, 100, 600);
        chances.no_family = PICK(sim, 0, 0, 100, 600);
        chances.met_itself = PICK(sim, 0, 0, 100);
        chances.aborted = PICK(sim, 0, 0, 100);
        chances.shut = PICK(sim, 0, 0, 0, 50);
        chances.no_handle = PICK(sim, 0, 0, 50);
    }
    return chances;
}

/* Makes a listening socket for each worker: a TCP socket of its own, or another descriptor of the shared UNIX socket. */
static void draw_sockets(struct world *world, uint32_t listener)
{
    struct sim *sim = world->sim;
    int *fds = world->listener_fds[listener];

    world->listener_local[listener] = sim_chance(sim, 300);
    fds[0] = sim_listen(sim, world->listener_local[listener]);
    for (uint32_t worker = 1; worker < world->worker_count; worker++)
        fds[worker] = world->listener_local[listener] ? sim_listen_share(sim, fds[0]) : sim_listen(sim, false);
}

static void draw_listeners(struct world *world)
{
    struct sim *sim = world->sim;

    world->config.listener_count = 1 + sim_below(sim, LISTENERS_MAX);
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        world->listeners[i] = (struct config_listener){
            .name = i == 0 ? "one" : "two",
            .pool = sim_below(sim, (uint32_t)world->config.pool_count),
            .settings.max_connections = world->crowd ? PICK(sim, 0, 1, 3, 5) : world->quick || world->lasting ? 0 : PICK(sim, 0, 0, 1, 3),
            .settings.backlog = 128,
        };
        if (world->udp.is_on) {
            world->listeners[i].settings.protocol = CONFIG_PROTOCOL_BOTH;
            udp_draw_listener(world, &world->listeners[i].settings);
        }
        draw_sockets(world, i);
    }
}

static void draw_pairs(struct world *world)
{
    struct sim *sim = world->sim;

    world->pair_count = world->crowd || world->late_rush || world->lasting ? CLIENTS_MAX : 1 + sim_below(sim, CLIENTS_USUAL);
    for (uint32_t i = 0; i < world->pair_count; i++) {
        struct pair *pair = &world->pairs[i];

        pair->index = i;
        pair->client = (struct peer){.world = world, .pair = pair, .side = CLIENT};
        pair->backend = (struct peer){.world = world, .pair = pair, .side = BACKEND};
        pair->listener = sim_below(sim, (uint32_t)world->config.listener_count);
        peer_draw(&pair->client);
    }
}

void world_draw(struct world *world)
{
    struct sim *sim = world->sim;

    list_init(&world->udp.ports);
    list_init(&world->udp.closed_ports);
    world->worker_count = PICK(sim, 1, 2, 2, 2, 3);
    world->mailbox_capacity = PICK(sim, 2, 2, 8, 1024);
    world->crowd = sim_chance(sim, 100);
    world->quick = world->crowd || sim_chance(sim, 300);
    world->late_rush = !world->quick && sim_chance(sim, 60);
    world->lasting = !world->quick && !world->late_rush && sim_chance(sim, 60);
    world->continues = sim_chance(sim, 150);
    world->udp.is_on = sim_chance(sim, 330);
    world->drains = !world->quick && sim_chance(sim, world->udp.is_on ? 400 : 150);
    world->stops = !world->quick && sim_chance(sim, world->late_rush ? 700 : 200);
    world->accept_ns = !world->quick && sim_chance(sim, 100) ? sim_below(sim, 300000000) : 0;
    world->end_ns = world->accept_ns + (5 + sim_below(sim, 1500)) * MS;
    world->deadly = sim_chance(sim, 300);
    world->rough = !world->quick && sim_chance(sim, 300);
    sim->options.tiny = sim_chance(sim, 50);
    sim->options.chances = draw_chances(world, sim);
    if (world->late_rush)
        sim->options.chances.late = PICK(sim, 100, 400);
    sim->options.multishot = sim_chance(sim, 700);
    sim->options.buffers = PICK(sim, 1, 2, 8, 256, 256);
    sim->options.gathered_max = PICK(sim, 1, 2, ENGINE_GATHERED_MAX, ENGINE_GATHERED_MAX);
    sim->options.gather_batch = PICK(sim, 1, 2, 32, 32, 32);
    if (!world->quick && sim_chance(sim, 50))
        sim->options.forbidden_until_ns = sim->now_ns + sim_below(sim, 2000) * MS;
    world->config = (struct config){
        .workers = world->worker_count,
        .seed = 1 + sim_below(sim, 1000),
        .listeners = world->listeners,
        .pools = world->pools,
        .pool_count = 1 + sim_below(sim, POOLS_MAX),
    };
    world->lack = PICK(sim, 0, 250, 250, 900, 1000);
    world->unreachable = !world->quick && sim_chance(sim, 200) ? sim_below(sim, ADDRESSES_MAX) : ADDRESSES_MAX;
    for (uint32_t p = 0; p < world->config.pool_count; p++)
        draw_pool(world, p);
    if (world->quick) { /* the first backend of each pool takes every client */
        for (uint32_t p = 0; p < world->config.pool_count; p++) {
            world->mood[p][0] = 1000;
            world->backends[p][0].settings.max_connections = 0;
            world->backends[p][0].settings.backup = false;
            world->pools[p].settings.retries = 10; /* a backend that has left and come back is another one, and may be tried again */
        }
    }
    draw_listeners(world);
    draw_pairs(world);
    if (world->udp.is_on) {
        udp_draw(world);
        world->pair_count = sim_chance(sim, 600) ? 0 : world->pair_count;
    }
    limit_init_flows(&world->flows, PICK(sim, 1, 10, 1000, 1000));
    limit_init(&world->connections, world->crowd ? PICK(sim, 2, 5, 10, 100) : world->quick || world->late_rush || world->lasting ? 100 : PICK(sim, 2, 5, 100));
    world->shared.sessions_max = !world->quick && sim_chance(sim, 50) ? 1 : limit_max(&world->connections);
    world->shared.pipes_max = PICK(sim, 0, 1, 4, 100);
    world->shared.relaying = sim_chance(sim, 300) && !world->deadly ? tap_world_relaying : NULL;
}
