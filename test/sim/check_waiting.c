/* test/sim/check_waiting.c: clients that wait to be accepted. None may wait while places are free, and a free place goes to the client that has waited longest.
 * Test thread; owns nothing.
 *
 * Both checks use settled moments. At a settled moment no worker has anything to do, and none is stalled. All notifications have been handled, and the next
 * event needs time to pass. So no client may be in an accept queue while its listener and the process have free places, and no accepted client may be in a
 * mailbox. Every worker has noticed the clients in its accept queues, and has published since when they wait: at the limit of the listener, or, if the listener
 * has free places, at the limit of the process.
 *
 * The workers order clients by assumed times (worker/admission.c). The check knows a bound for each of them:
 *
 *   - A client that waits: its assumed time is not later than the first settled moment at which it was in the queue. It may be derived from the client accepted
 *     before it, whose time in the queue TCP reports in whole milliseconds; so one millisecond is added. A UNIX client gets a new time whenever a client of its
 *     queue is accepted, so the bound is at least the time of the last such accept.
 *   - A TCP client that is accepted: its assumed time is not earlier than its arrival. If it was already in the queue when the client before it was accepted,
 *     it is not earlier than the arrival of that client.
 *   - A UNIX client that is accepted while no TCP client waits: its assumed time is not earlier than the last accept of the same worker from the same queue.
 *
 * An accepted client breaks the order if its earliest assumed time is later than the latest one of a client that waits for the same place.
 *
 * A UNIX client may overtake a TCP client, because it is placed directly behind the oldest TCP client, which may be another one. But a worker may not accept
 * two clients of a UNIX queue that both overtake the same TCP client, unless a TCP client that may be older than that one is accepted between the two. */
#include <string.h>

#include "table/listener.h"
#include "world.h"

/* Whether a worker may now have acceptors that have given up their turn, or will soon, for lack of descriptors or because their sockets were shut from
 * outside. */
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
        world_fail(world, "pair %u: was overtaken by two clients of a UNIX socket, pair %u the second, and no TCP client had its turn", pair->index,
                   accepted->index);
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
