/* test/sim/world.c: one run: builds a worker and its surroundings, turns it until everything is over, takes it apart. One thread; owns all of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "select/selector.h"
#include "table/counters.h"
#include "table/epoch.h"
#include "table/intake.h"
#include "table/table.h"
#include "worker/acceptor.h"
#include "world.h"

enum { TURNS_MAX = 400000 };
#define HOLD_NS ((uint64_t)50000000) /* for so long nobody accepts when a session lacked a descriptor: worker/acceptor.c */

static sigjmp_buf failing;
static char failure[256];

/* ---- failing ---- */

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    size_t bytes;

    va_start(arguments, format);
    bytes = (size_t)vsnprintf(failure, sizeof(failure), format, arguments);
    va_end(arguments);
    if (bytes < sizeof(failure))
        (void)snprintf(failure + bytes, sizeof(failure) - bytes, " (at %.6f s, turn %llu)", (double)world->sim->now_ns / 1e9, (unsigned long long)world->turns);
    siglongjmp(failing, 1);
}

static void on_failed(struct sim *sim, const char *what)
{
    world_fail(sim->options.owner, "%s", what);
}

/* An assertion of the code under test, whose text went to standard error, or worse. */
static void on_crash(int number)
{
    (void)snprintf(failure, sizeof(failure), "%s", number == SIGABRT ? "an assertion failed" : "it crashed");
    siglongjmp(failing, 1);
}

/* ---- hooks ---- */

struct pair *pair_of(struct world *world, const struct session *session)
{
    return ((struct peer *)sim_conn_find(world->sim, session->ends[CLIENT].sock.fd)->peer)->pair;
}

static void draw_answer(struct world *world, struct sim_conn *conn, const struct session *session)
{
    static const int errors[] = {111 /* ECONNREFUSED */, 113 /* EHOSTUNREACH */, 110 /* ETIMEDOUT */};
    struct sim *sim = world->sim;
    uint64_t timeout = session_settings(session)->connect_timeout_ms * MS;
    size_t pool = session->lease.pool->slot;
    int error = 0;

    if (!sim_chance(sim, world->mood[pool][session->lease.backend->id])) {
        if (sim_chance(sim, world->lack))
            error = 99 /* EADDRNOTAVAIL */;
        else if (sim_chance(sim, 300)) /* silence */
            return;
        else
            error = errors[sim_below(sim, sizeof(errors) / sizeof(errors[0]))];
    }
    if (error != 99 && sim_chance(sim, world->quick ? 0 : 150)) /* about when patience ends */
        sim_answer(conn, error, timeout - 2 * MS + sim_below(sim, 4000) * (MS / 1000));
    else
        sim_answer(conn, error, sim_chance(sim, 300) || error == 99 ? 0 : sim_below(sim, 20000000));
}

static void on_connecting(struct sim_conn *conn, const struct addr *addr)
{
    struct world *world = conn->sim->options.owner;
    struct session *session = session_of_sock(conn->sock);
    struct pair *pair = pair_of(world, session);

    if (pair->has_backend)
        world_fail(world, "pair %u: connects while another attempt is underway", pair->index);
    if (pair->client.conn->failed)
        world_fail(world, "pair %u: connects for a client that is gone", pair->index);
    if (!session->lease.backend || !addr_equal(addr, &session->lease.backend->addr))
        world_fail(world, "pair %u: connects to what it did not reserve", pair->index);
    if (pair->failed & 1u << session->lease.backend->id)
        world_fail(world, "pair %u: backend %s is asked again although it failed", pair->index, session->lease.backend->name);
    pair->has_backend = true;
    pair->backend = (struct peer){.world = world, .pair = pair, .side = BACKEND, .conn = conn};
    peer_draw(&pair->backend);
    conn->peer = &pair->backend;
    draw_answer(world, conn, session);
}

static void on_closing(struct sim_conn *conn)
{
    struct world *world = conn->sim->options.owner;
    struct session *session = session_of_sock(conn->sock);
    struct peer *peer = conn->peer;

    if (session->state != SESSION_CLOSING) { /* the attempt has failed */
        if (session->state != SESSION_CONNECTING || peer->side != BACKEND)
            world_fail(world, "pair %u: one end is closed in state %d", peer->pair->index, (int)session->state);
        if (session->last_error != 99 /* EADDRNOTAVAIL: see draw_answer() */)
            peer->pair->failed |= 1u << session->lease.backend->id;
        peer->pair->has_backend = false;
        peer_forget(peer);
    } else if (!peer->pair->ended) {
        check_closing(world, session);
    }
}

static void on_unlistening(struct sim_conn *conn)
{
    struct world *world = conn->sim->options.owner;

    if (!list_empty(&conn->queue) && !world->worker->stopping)
        world_fail(world, "a client that was queued when the drain began is reset");
}

static void on_changed(struct sim_conn *conn)
{
    struct peer *peer = conn->peer;

    if (!peer)
        return;
    if (!peer->started && conn->established)
        peer_start(peer);
    peer_wake(peer);
}

static const struct sim_hooks hooks = {.connecting = on_connecting, .closing = on_closing, .unlistening = on_unlistening, .changed = on_changed, .failed = on_failed};

/* ---- what happens around the worker ---- */

static void on_arriving(struct sim_event *event)
{
    struct pair *pair = container_of(event, struct pair, arriving);
    struct world *world = pair->client.world;
    struct addr client = {.length = sizeof(client.in)};

    client.in.sin_family = AF_INET;
    client.in.sin_addr.s_addr = 0x0100007f + pair->index;
    client.in.sin_port = (in_port_t)(pair->index + 1);
    pair->client.conn = sim_arrive(world->sim, world->listener_fds[pair->listener], &client);
    pair->client.conn->peer = &pair->client;
    peer_start(&pair->client);
}

static void on_flipping(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, flipping);

    world->flip = true;
    world->sim->interrupted = true;
    if (sim_chance(world->sim, 800))
        sim_arm(world->sim, event, sim_below(world->sim, 400000000));
}

static void on_draining(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, draining);

    world->drain = true;
    world->sim->interrupted = true;
}

static void on_stopping(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, stopping);

    world->stop = true;
    world->sim->interrupted = true;
}

/* A session of another worker lacks a descriptor. */
static void on_lacking(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, lacking);

    shortage_note(&world->shortage, world->sim->now_ns);
    if (sim_chance(world->sim, 700))
        sim_arm(world->sim, event, sim_below(world->sim, 300000000));
}

static void flip(struct world *world)
{
    struct sim *sim = world->sim;
    uint32_t pool = sim_below(sim, (uint32_t)world->config.pool_count);
    uint32_t backend = sim_below(sim, (uint32_t)world->pools[pool].backend_count);
    struct backend *live = table_backend(world->table, pool, backend);

    if (world->quick && backend == 0)
        return;
    table_set_state(world->table, live, BACKEND_PROBE, backend_standing(live) == BACKEND_USABLE ? BACKEND_PROBE_DOWN : BACKEND_PROBE_UP);
    if (table_publish(world->table) < 0)
        abort();
}

static void schedule(struct world *world)
{
    struct sim *sim = world->sim;

    for (uint32_t i = 0; i < world->pair_count; i++) {
        world->pairs[i].arriving.run = on_arriving;
        sim_arm(sim, &world->pairs[i].arriving, sim_below(sim, sim_chance(sim, 500) ? 1 : 1000000000));
    }
    world->flipping.run = on_flipping;
    world->draining.run = on_draining;
    world->stopping.run = on_stopping;
    world->lacking.run = on_lacking;
    if (sim_chance(sim, 400))
        sim_arm(sim, &world->flipping, sim_below(sim, 400000000));
    if (world->quick)
        return;
    if (sim_chance(sim, 300))
        sim_arm(sim, &world->lacking, sim_below(sim, 300000000));
    if (sim_chance(sim, 150))
        sim_arm(sim, &world->draining, sim_below(sim, 3000) * MS / 2);
    if (sim_chance(sim, 200))
        sim_arm(sim, &world->stopping, sim_below(sim, 5000) * MS / 4);
}

/* ---- the run ---- */

static void wait_out_a_lack(struct world *world)
{
    uint64_t until_ns = world->sim->now_ns + sim_below(world->sim, 300) * MS;

    acceptor_hold(world->worker);
    do
        (void)worker_turn(world->worker, 10);
    while (world->sim->now_ns < until_ns);
}

static void build(struct world *world, uint64_t seed)
{
    world->worker = aligned_alloc(64, (sizeof(*world->worker) + 63) / 64 * 64);
    if (!world->worker)
        abort();
    world_draw(world);
    world->epoch = epoch_new(1);
    world->counters = counters_new(1);
    world->intakes = intake_new(1);
    world->table = world->epoch ? table_new(world->epoch, selector_prepare) : NULL;
    if (!world->table || !world->counters || !world->intakes)
        abort();
    if (table_apply(world->table, &world->config, NULL) < 0)
        abort();
    for (size_t i = 0; i < world->config.listener_count; i++)
        world->sockets[i].listener = table_listener(world->table, i);
    world->shared.table = world->table;
    world->shared.epoch = world->epoch;
    world->shared.counters = world->counters;
    world->shared.intakes = world->intakes;
    world->shared.connections = &world->connections;
    world->shared.shortage = &world->shortage;
    world->shared.workers = 1;
    world->shared.outgoing_port_min = 1002; /* world_config.c: backends are at 1000 and on */
    *world->worker = (struct worker){
        .shared = &world->shared,
        .cpu = -1,
        .random = seed,
        .counters = world->counters,
        .sockets = world->sockets,
        .acceptor_count = world->config.listener_count,
    };
    if (worker_prepare(world->worker, &world->sim->io) < 0)
        world_fail(world, "the worker could not be prepared");
    if (!world->quick && sim_chance(world->sim, 50)) /* a session that was handed over lacked something before accepting began */
        wait_out_a_lack(world);
    acceptor_accept_all(world->worker);
}

static void turn(struct world *world)
{
    struct worker *worker = world->worker;
    struct shortage before = world->shortage;
    uint64_t accepted = counters_read(&world->counters->accepted);

    if (worker_turn(worker, timer_wheel_next(&worker->timers)) < 0)
        world_fail(world, "the engine failed");
    if (shortage_since(&before, worker->io->now_ns, HOLD_NS) && counters_read(&world->counters->accepted) != accepted)
        world_fail(world, "a client is accepted while a session lacks a descriptor");
    if (++world->turns > TURNS_MAX)
        world_fail(world, "the run has no end");
    if (world->flip)
        flip(world);
    if (world->drain)
        worker_begin_drain(worker);
    if (world->stop)
        worker_end_all(worker);
    world->stopped |= world->stop;
    world->flip = world->drain = world->stop = false;
    world->sim->interrupted = false;
    check_step(world);
    if (world->sim->stuck && worker->sessions_slab.used > 0)
        world_fail(world, "%u sessions hang: nothing will ever happen", worker->sessions_slab.used);
}

/* Clients that nobody has accepted. */
static bool clients_wait(const struct world *world)
{
    for (size_t i = 0; i < world->config.listener_count; i++) {
        if (world->worker->acceptors[i].open && !list_empty(&sim_conn_find(world->sim, world->listener_fds[i])->queue))
            return true;
    }
    return false;
}

static void run(struct world *world)
{
    struct worker *worker = world->worker;

    schedule(world);
    while (!worker_drained(worker) && (worker->sessions_slab.used > 0 || !list_empty(&world->sim->events) || clients_wait(world))) {
        turn(world);
        if (!world->sim->stuck)
            continue;
        if (clients_wait(world))
            world_fail(world, "clients wait in a listener's queue and will never be accepted");
        break;
    }
    worker_begin_drain(worker);
    while (!worker_drained(worker) || worker->acceptors_open > 0) {
        world->sim->stuck = false;
        turn(world);
        if (world->sim->stuck && !worker_drained(worker))
            world_fail(world, "the drain does not end: %zu listeners are open", worker->acceptors_open);
    }
    sim_run_events(world->sim, true); /* what the worker's kernel still had to deliver */
}

static void dismantle(struct world *world)
{
    epoch_offline(world->epoch, 0);
    worker_dismantle(world->worker);
    table_free(world->table);
    epoch_free(world->epoch);
    counters_free(world->counters);
    intake_free(world->intakes);
    free(world->worker);
    sim_free(world->sim);
    free(world);
}

const char *world_run(uint64_t seed, bool trace, uint64_t *digest)
{
    struct world *world = calloc(1, sizeof(*world));
    struct sim_options options = {.hooks = &hooks, .owner = world, .trace = trace};
    uint64_t state = seed;
    struct sigaction action = {.sa_handler = on_crash};

    options.seed = random_next(&state);
    options.queued = random_next(&state) & 1;
    options.gathers = options.queued && random_next(&state) & 1;
    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(failing, 1))
        return failure;
    if (!world)
        abort();
    world->sim = sim_new(&options);
    if (!world->sim)
        abort();
    build(world, seed);
    run(world);
    check_end(world);
    check_pairs(world);
    *digest = world->sim->digest ^ world->turns;
    dismantle(world);
    return NULL;
}
