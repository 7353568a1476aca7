/* test/sim/driver.c: the threads of the workers, simulated: one turn of one worker at a time, in an order that the seed decides. Test thread; owns nothing.
 *
 * After its turn, a worker usually sleeps: its wait begins, and its requests are submitted. It may have another turn if it does not sleep, if its engine has
 * an event, or if its timeout has passed. A thread may also be stalled for a while, as if the CPU ran something else. Every turn takes a little time.
 * Otherwise time passes only when no worker has anything to do. */
#include <stdlib.h>

#include "table/counters.h"
#include "table/epoch.h"
#include "worker/acceptor.h"
#include "world.h"

enum { TURNS_MAX = 400000, FLUSH_TURNS = 61, TURN_NS_MIN = 1000, TURN_NS_SPREAD = 20000, STALL_NS_MAX = 3000000 };
#define HOLD_NS ((uint64_t)50000000) /* how long no worker accepts after a session lacked a descriptor (HOLD_MS in worker/acceptor.c) */

/* ---- a turn ---- */

static uint64_t accepted_by_all(const struct world *world)
{
    uint64_t accepted = 0;

    for (uint32_t i = 0; i < world->worker_count; i++)
        accepted += counters_read(&world->counters[i].accepted);
    return accepted;
}

/* What the thread does when its worker has drained: run_loop() in worker/worker.c. */
static void end(struct member *member)
{
    struct worker *worker = member->worker;

    if (member->life == LIFE_RUNNING && worker_drained(worker)) {
        member->life = LIFE_CLOSING;
        io_close(worker->io, &worker->mail, false);
    } else if (member->life == LIFE_CLOSING && !worker->mail_open) {
        check_member_end(member);
        epoch_offline(worker->shared->epoch, worker->index);
        worker_dismantle(worker);
        member->life = LIFE_ENDED;
        member->engine = NULL;
    }
}

static void turn(struct member *member)
{
    struct world *world = member->world;
    struct worker *worker = member->worker;
    struct shortage before = world->shortage;
    uint64_t accepted = accepted_by_all(world);

    world->sim->turning = (int)worker->index;
    if (worker_turn(worker, 0) < 0)
        world_fail(world, "the engine failed");
    if (shortage_since(&before, worker->io->now_ns, HOLD_NS) && accepted_by_all(world) != accepted)
        world_fail(world, "a client is accepted while a session lacks a descriptor");
    if (world->turns % FLUSH_TURNS == 0) /* at any moment, what is counted must still add up at the end */
        worker_order_flush(world->mailboxes, (unsigned)(world->turns / FLUSH_TURNS % world->worker_count));
    if (++world->turns > TURNS_MAX)
        world_fail(world, "the run has no end");
    sim_look_at_eventfds(world->sim);
    check_sessions(member);
    check_shared(world);
    check_udp_turn(member);
    end(member);
    world->sim->turning = -1;
}

static void go_to_sleep(struct member *member)
{
    int64_t wait_ms = timer_wheel_next(&member->worker->timers), most_ms = engine_wait_ms_max(member->engine);

    if (most_ms >= 0 && (wait_ms < 0 || wait_ms > most_ms))
        wait_ms = most_ms;
    if (member->worker->admits) /* as in worker_turn() */
        wait_ms = 0;
    member->world->sim->turning = (int)member->worker->index;
    epoch_offline(member->worker->shared->epoch, member->worker->index); /* as worker_turn() does before it waits */
    engine_sleep(member->engine);
    member->wake_ns = wait_ms < 0 ? NEVER : member->world->sim->now_ns + (uint64_t)wait_ms * 1000000;
    member->world->sim->turning = -1;
}

/* ---- whose turn it is ---- */

static bool runnable(const struct member *member)
{
    uint64_t now_ns = member->world->sim->now_ns;

    if (member->life == LIFE_ENDED || now_ns < member->stalled_ns)
        return false;
    return !member->engine->asleep || now_ns >= member->wake_ns || engine_ready(member->engine);
}

/* Returns the worker that has the next turn. NULL: no worker has anything to do now. */
static struct member *choose(struct world *world)
{
    struct member *able[WORKERS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (runnable(&world->members[i]))
            able[count++] = &world->members[i];
    }
    return count > 0 ? able[sim_below(world->sim, count)] : NULL;
}

/* Advances the time to the next event, or to the end of the next wait or stall. */
static void let_time_pass(struct world *world)
{
    struct sim *sim = world->sim;
    uint64_t next_ns = sim_next_event_ns(sim);

    for (uint32_t i = 0; i < world->worker_count; i++) {
        const struct member *member = &world->members[i];
        uint64_t ready_ns = member->stalled_ns > sim->now_ns ? member->stalled_ns : member->engine && member->engine->asleep ? member->wake_ns : NEVER;

        if (member->life != LIFE_ENDED && ready_ns < next_ns)
            next_ns = ready_ns;
    }
    if (next_ns == NEVER) {
        world->stuck = true;
        return;
    }
    if (next_ns > sim->now_ns)
        sim->now_ns = next_ns;
    sim_run_events(sim, false);
}

void driver_step(struct world *world)
{
    struct sim *sim = world->sim;
    struct member *member = choose(world);

    if (!member) {
        check_waiting(world);
        check_udp_waiting(world);
        let_time_pass(world);
        return;
    }
    if (sim_chance(sim, sim->options.chances.late)) {
        member->stalled_ns = sim->now_ns + 1 + sim_below(sim, STALL_NS_MAX);
        return;
    }
    sim->now_ns += TURN_NS_MIN + sim_below(sim, TURN_NS_SPREAD); /* the last turn took this time */
    sim_run_events(sim, false);
    turn(member);
    if (member->life != LIFE_ENDED && !sim_chance(sim, 100)) /* otherwise its next wait begins with its next turn */
        go_to_sleep(member);
}

/* ---- beginning and end ---- */

void driver_begin(struct world *world)
{
    for (uint32_t i = 0; i < world->worker_count; i++) {
        struct member *member = &world->members[i];

        if (worker_prepare(member->worker, &member->engine->io) < 0 || worker_open_mail(member->worker) < 0)
            world_fail(world, "a worker could not be prepared");
    }
    if (!world->quick && sim_chance(world->sim, 50)) /* as if a session that was handed over lacked a descriptor before accepting begins */
        acceptor_hold(world->members[0].worker);
}

bool driver_all_ended(const struct world *world)
{
    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (world->members[i].life != LIFE_ENDED)
            return false;
    }
    return true;
}
