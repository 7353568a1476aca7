/* test/sim/check_waiting.c: clients that wait to be accepted. None may wait while places are free, and a free place goes to the client that has waited longest.
 * Test thread; owns nothing.
 *
 * Both checks rest on settled moments: no worker has anything to do, and none is stalled. Everything that a worker was notified of has been handled then, and the
 * next thing happens only when time passes. So at a settled moment no client may wait for which there are places, and no accepted client may be in a mailbox.
 * Every client in an accept queue has been noticed by its worker, which has published since when it waits: at the limit of its listener, or, if the listener has
 * free places, at the limit of the process.
 *
 * Order. The workers compare assumed times (worker/admission.c). From outside, each has a bound:
 *   - The assumed time of a waiting client is not later than the settled moment at which it was first seen to wait. TCP reports how long the client accepted before
 *     it has waited in whole milliseconds, so one millisecond is added. A UNIX client is placed anew whenever a client of its queue is accepted, so its time is not
 *     later than that either.
 *   - The assumed time of a TCP client that is accepted is not earlier than its arrival, if the queue was empty then, and otherwise not earlier than the arrival
 *     of the client accepted before it from the same queue. That of a UNIX client, when no listener is TCP, is not earlier than the last time at which the same
 *     worker accepted from its queue.
 * A client is overtaken against the rule if even the earliest assumed time of the accepted one is later than the latest of its own.
 *
 * A UNIX client may overtake a TCP client, because it takes its turn directly behind the TCP client with the earliest assumed time, which may be another one. But
 * a worker may accept two clients of a UNIX queue that both overtake the same TCP client only if, between the two, a TCP client was accepted that may have been
 * before the overtaken one. */
#include <string.h>

#include "table/listener.h"
#include "world.h"

/* Whether a worker may now have acceptors that have given up their turn, or will soon, for lack of descriptors or because their sockets were shut from outside. */
static bool is_excused(const struct world *world)
{
    const struct sim_chances *chances = &world->sim->options.chances;

    return chances->no_descriptor > 0 || chances->shut > 0 || world->sim->now_ns < world->sim->options.forbidden_until_ns + 200 * MS ||
           shortage_since(&world->shortage, world->sim->now_ns, 200 * MS);
}

/* Whether the worker is to accept clients of this listener, and waits neither for descriptors nor, in a drain, for its next batch. */
static bool accepts_now(const struct world *world, uint32_t listener, uint32_t worker)
{
    const struct member *member = &world->members[worker];
    const struct sim_conn *socket = world->sim->conns[world->listener_fds[listener][worker] - SIM_FD_BASE];

    return member->life == LIFE_RUNNING && member->worker->accepting && !member->worker->accept_timer.armed && !socket->released && !socket->sock->closing;
}

static bool is_queued(const struct sim_conn *conn)
{
    return conn && conn->listener && !conn->accepted && !conn->over;
}

/* Whether the client is in the accept queue of a worker that is to accept it. */
static bool may_be_served(const struct world *world, const struct pair *pair)
{
    for (uint32_t i = 0; i < world->worker_count; i++) {
        const struct sim_conn *socket = world->sim->conns[world->listener_fds[pair->listener][i] - SIM_FD_BASE];

        if (socket->listener == pair->client.conn->listener && accepts_now(world, pair->listener, i))
            return true;
    }
    return false;
}

static bool has_place(const struct limit *limit)
{
    return limit_used(limit) < limit_max(limit);
}

static bool listener_has_place(const struct world *world, uint32_t listener)
{
    const struct listener *found = world_listener(world, listener);

    return found && has_place(&found->connections);
}

/* ---- settled moments ---- */

static bool is_settled(const struct world *world)
{
    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (world->members[i].life != LIFE_ENDED && world->sim->now_ns < world->members[i].stalled_ns)
            return false;
    }
    return true;
}

static void forget_wait(struct pair *pair)
{
    pair->settled_ns = 0;
    memset(pair->passed_by, 0, sizeof(pair->passed_by));
}

static void check_settled(struct world *world, struct pair *pair)
{
    const struct sim_conn *conn = pair->client.conn;

    if (conn && conn->accepted && !conn->sock && !conn->released)
        world_fail(world, "pair %u: is left in a mailbox", pair->index);
    if (!is_queued(conn) || !may_be_served(world, pair)) {
        forget_wait(pair);
        return;
    }
    if (listener_has_place(world, pair->listener) && has_place(&world->connections))
        world_fail(world, "pair %u: waits although there are places", pair->index);
    if (is_excused(world))
        forget_wait(pair);
    else if (pair->settled_ns == 0)
        pair->settled_ns = world->sim->now_ns;
}

void check_waiting(struct world *world)
{
    if (!is_settled(world))
        return;
    for (uint32_t i = 0; i < world->pair_count; i++)
        check_settled(world, &world->pairs[i]);
    for (uint32_t i = 0; i < world->config.listener_count; i++)
        world->had_places[i] = listener_has_place(world, i);
}

/* ---- the order ---- */

/* Whether `pair`, which waits, competes with `accepted` for a place. Clients of the same listener always do. Those of another listener wait for a place of the
 * process only if their listener had a free place at the last settled moment, and ever since. */
static bool compete(const struct world *world, const struct pair *pair, const struct pair *accepted)
{
    return pair->listener == accepted->listener || world->had_places[pair->listener];
}

static uint64_t earliest_ns(const struct world *world, const struct pair *accepted, uint32_t worker)
{
    const struct sim_conn *conn = accepted->client.conn, *before = world->last_accepted[accepted->listener][worker];

    if (world->listener_local[accepted->listener])
        return before ? before->accepted_ns : 0;
    return before && conn->arrived_ns <= before->accepted_ns ? before->arrived_ns : conn->arrived_ns;
}

/* When a client of this listener, which is a UNIX socket, was last accepted. */
static uint64_t last_accepted_ns(const struct world *world, uint32_t listener)
{
    uint64_t last_ns = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        const struct sim_conn *conn = world->last_accepted[listener][i];

        if (conn && conn->accepted_ns > last_ns)
            last_ns = conn->accepted_ns;
    }
    return last_ns;
}

static uint64_t latest_ns(const struct world *world, const struct pair *pair)
{
    uint64_t last_ns;

    if (!world->listener_local[pair->listener])
        return pair->settled_ns + MS;
    last_ns = last_accepted_ns(world, pair->listener);
    return last_ns > pair->settled_ns ? last_ns : pair->settled_ns;
}

static void check_turns(struct world *world, struct pair *pair, const struct pair *accepted, uint32_t worker)
{
    bool *passed = &pair->passed_by[accepted->listener][worker];

    if (*passed)
        world_fail(world, "pair %u: was overtaken by two clients of a UNIX socket, pair %u the second, and no TCP client had its turn", pair->index, accepted->index);
    *passed = true;
}

static void check_order(struct world *world, struct pair *pair, const struct pair *accepted, uint32_t worker)
{
    bool is_unix = world->listener_local[pair->listener], other_is_unix = world->listener_local[accepted->listener];
    uint64_t earliest = earliest_ns(world, accepted, worker);

    if (!compete(world, pair, accepted)) {
        memset(pair->passed_by, 0, sizeof(pair->passed_by));
        return;
    }
    if (!is_unix && other_is_unix) {
        check_turns(world, pair, accepted, worker);
        return;
    }
    if (pair->client.conn->listener == accepted->client.conn->listener) {
        if (pair->client.conn->arrived_ns < accepted->client.conn->arrived_ns)
            world_fail(world, "pair %u: was overtaken by pair %u in its own queue", pair->index, accepted->index);
    } else if (earliest > latest_ns(world, pair)) {
        world_fail(world, "pair %u: was overtaken by pair %u, which came %llu us later", pair->index, accepted->index,
                   (unsigned long long)((accepted->client.conn->arrived_ns - pair->client.conn->arrived_ns) / 1000));
    }
    if (!is_unix)
        memset(pair->passed_by, 0, sizeof(pair->passed_by));
}

void check_accepted(struct world *world, struct pair *accepted, uint32_t worker)
{
    forget_wait(accepted);
    for (uint32_t i = 0; i < world->pair_count && !is_excused(world); i++) {
        struct pair *pair = &world->pairs[i];

        if (pair->settled_ns != 0 && is_queued(pair->client.conn) && may_be_served(world, pair))
            check_order(world, pair, accepted, worker);
    }
    world->last_accepted[accepted->listener][worker] = accepted->client.conn;
    if (!listener_has_place(world, accepted->listener))
        world->had_places[accepted->listener] = false;
}
