/* test/sim/world.c: one run: builds the workers and what they need, gives them turns until everything has ended, and frees them. Test thread; owns all of
 * it. */
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
#include "table/mailbox.h"
#include "table/table.h"
#include "worker/mail.h"
#include "world.h"

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

/* An assertion of the code under test has failed, or the code has crashed. The text of an assertion is on standard error. */
static void on_crash(int number)
{
    (void)snprintf(failure, sizeof(failure), "%s", number == SIGABRT ? "an assertion failed" : "it crashed");
    siglongjmp(failing, 1);
}

/* ---- building ---- */

static void build_mailboxes(struct world *world)
{
    struct mailbox_options options = {.capacity = world->mailbox_capacity, .message_bytes = sizeof(struct mail), .dispose = mail_dispose};

    world->mailboxes = calloc(world->worker_count, sizeof(*world->mailboxes));
    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (!world->mailboxes || mailbox_init(&world->mailboxes[i], &options) < 0)
            abort();
    }
}

static void build_shared(struct world *world)
{
    world->epoch = epoch_new(world->worker_count);
    world->counters = counters_new(world->worker_count);
    world->intakes = intake_new(world->worker_count);
    build_mailboxes(world);
    world->table = world->epoch ? table_new(world->epoch, &selector_prepare) : NULL;
    world->waiters = (struct limit_workers){.count = world->worker_count, .tell = worker_tell_of_place, .context = world->mailboxes};
    if (world->table)
        table_let_wait(world->table, &world->waiters);
    if (limit_let_wait(&world->connections, &world->waiters) < 0)
        abort();
    if (!world->table || !world->counters || !world->intakes)
        abort();
    if (table_apply(world->table, &world->config, NULL) < 0)
        abort();
    world->shared.table = world->table;
    world->shared.epoch = world->epoch;
    world->shared.counters = world->counters;
    world->shared.intakes = world->intakes;
    world->shared.mailboxes = world->mailboxes;
    world->shared.connections = &world->connections;
    world->shared.flows = &world->flows;
    world->shared.shortage = &world->shortage;
    world->shared.workers = world->worker_count;
    world_ejection_begin(world);
    check_outcome_begin(world);
    check_stats_begin();
    world->shared.access = (struct worker_access){.sample_percent = 50, .at_open = true, .tcp_info = true, .every_ms = 1000};
    world->shared.outgoing_port_min = 1002; /* world_config.c: backends are at 1000 and on */
}

static void build_member(struct world *world, uint32_t index, uint64_t seed)
{
    struct member *member = &world->members[index];

    *member = (struct member){.world = world, .engine = engine_new(world->sim, index)};
    member->worker = aligned_alloc(64, (sizeof(*member->worker) + 63) / 64 * 64);
    if (!member->engine || !member->worker)
        abort();
    for (uint32_t i = 0; i < world->config.listener_count; i++)
        member->sockets[i] = (struct worker_socket){
            .listener = table_listener(world->table, i), .fd = world->listener_fds[i][index], .is_unix = world->listener_local[i]};
    for (uint32_t g = 0; g < world->udp.group_count; g++)
        member->sockets[world->config.listener_count + g] = (struct worker_socket){
            .listener = table_listener(world->table, world->udp.groups[g].listener),
            .addr = world->udp.groups[g].addr,
            .fd = world->udp.groups[g].fds[index],
            .is_udp = true,
        };
    *member->worker = (struct worker){
        .shared = &world->shared,
        .index = index,
        .cpu = -1,
        .random = seed ^ index,
        .counters = &world->counters[index],
        .sockets = member->sockets,
        .socket_count = world->config.listener_count + world->udp.group_count,
    };
}

static void build(struct world *world, uint64_t seed)
{
    world_draw(world);
    build_shared(world);
    for (uint32_t i = 0; i < world->worker_count; i++)
        build_member(world, i, seed);
}

/* ---- the run ---- */

/* Whether a client is in the accept queue of a listener that is not closed. */
static bool clients_wait(const struct world *world)
{
    for (size_t i = 0; i < world->config.listener_count; i++) {
        for (uint32_t w = 0; w < world->worker_count; w++) {
            if (!list_empty(&world->sim->conns[world->listener_fds[i][w] - SIM_FD_BASE]->queue))
                return true;
        }
    }
    return false;
}

static uint32_t sessions(const struct world *world)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->worker_count; i++)
        count += counters_active(&world->counters[i]);
    return count;
}

static bool is_busy(const struct world *world)
{
    return sessions(world) > 0 || !list_empty(&world->sim->events) || clients_wait(world) || udp_is_busy(world);
}

static void run(struct world *world)
{
    world_schedule(world);
    evictions_begin(world);
    while (!driver_all_ended(world) && !world->stuck && is_busy(world))
        driver_step(world);
    if (world->stuck && sessions(world) > 0)
        world_fail(world, "%u sessions hang: nothing will ever happen", sessions(world));
    if (world->stuck && clients_wait(world))
        world_fail(world, "clients wait in a listener's queue and will never be accepted");
    if (world->stuck && udp_is_busy(world))
        world_fail(world, "flows hang, or datagrams will never be received");
    world->stuck = false;
    world_drain(world);
    surveys_drain(world);
    while (!driver_all_ended(world)) {
        driver_step(world);
        if (world->stuck)
            world_fail(world, "the drain does not end");
    }
    sim_run_events(world->sim, true); /* delivers what is still in transit */
}

static void dismantle(struct world *world)
{
    publisher_deinit(&world->publisher);
    for (int i = 0; i < 3; i++) /* backends are condemned; then they are freed, and their pool is condemned; then the pool is freed */
        table_reclaim(world->table);
    if (table_retired(world->table) > 0)
        world_fail(world, "%zu retired objects are not freed", table_retired(world->table));
    table_free(world->table);
    epoch_free(world->epoch);
    counters_free(world->counters);
    intake_free(world->intakes);
    limit_deinit(&world->connections);
    for (uint32_t i = 0; i < world->worker_count; i++) {
        mailbox_deinit(&world->mailboxes[i]);
        free(world->members[i].worker);
    }
    free(world->mailboxes);
    udp_dismantle(world);
    sim_free(world->sim);
    free(world);
}

const char *world_run(uint64_t seed, bool trace, uint64_t *digest)
{
    struct world *world = calloc(1, sizeof(*world));
    struct sim_options options = {.hooks = &world_hooks, .owner = world, .trace = trace};
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
    driver_begin(world);
    surveys_schedule(world, seed);
    run(world);
    surveys_end(world);
    check_end(world);
    check_pairs(world);
    check_udp_end(world);
    check_stats_end(world);
    *digest = world->sim->digest ^ world->turns;
    dismantle(world);
    return NULL;
}
