/* test/sim/check_waiting.c: clients that wait to be accepted must not wait long for free places, nor be overtaken by too many. Test thread; owns nothing. */
#include "table/listener.h"
#include "table/table.h"
#include "world.h"

enum {
    PATIENCE_MS = 200,   /* other threads have their turns, and one of them may be stalled */
    PATIENCE_ALONE_MS = 15, /* for a single worker, which learns at once that a place became free */
    OVERTAKEN_MAX = 50,  /* clients that came later, of CLIENTS_MAX. The workers do not guarantee this bound, but they keep to it today */
};

/* ---- waiting while places are free ---- */

/* Whether something other than a limit may keep clients waiting. */
static bool excused(const struct world *world)
{
    const struct sim_chances *chances = &world->sim->options.chances;

    return chances->no_descriptor > 0 || chances->shut > 0 || world->sim->now_ns < world->sim->options.forbidden_until_ns + 200 * MS ||
           shortage_since(&world->shortage, world->sim->now_ns, 200 * MS);
}

/* Whether a client waits in the accept queue of a running worker that is to accept and has not closed the listening socket. */
static bool somebody_waits(const struct world *world, uint32_t listener)
{
    for (uint32_t i = 0; i < world->worker_count; i++) {
        const struct worker *worker = world->members[i].worker;
        const struct sim_conn *socket = world->sim->conns[world->listener_fds[listener][i] - SIM_FD_BASE];

        if (world->members[i].life == LIFE_RUNNING && worker->accepting && !socket->released && !socket->sock->closing && !list_empty(&socket->listener->queue))
            return true;
    }
    return false;
}

void check_waiting(struct world *world)
{
    uint64_t now_ns = world->sim->now_ns, patience_ms = world->worker_count == 1 ? PATIENCE_ALONE_MS : PATIENCE_MS;

    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        uint64_t *since_ns = &world->places_free_ns[i];
        const struct limit *own = &table_listener(world->table, i)->connections;

        if (excused(world) || limit_used(own) >= limit_max(own) || limit_used(&world->connections) >= limit_max(&world->connections) || !somebody_waits(world, i))
            *since_ns = 0;
        else if (*since_ns == 0)
            *since_ns = now_ns;
        else if (now_ns > *since_ns + patience_ms * MS)
            world_fail(world, "listener %u: a client waits although there are places", i);
    }
}

/* ---- overtaking ---- */

/* The number of clients that came later but were accepted earlier. */
struct overtaking {
    uint32_t in_queue;    /* in the same accept queue, which accept(2) serves first come, first served */
    uint32_t at_listener; /* at the same listener, other workers' sockets included */
    uint32_t elsewhere;   /* at another listener, when this one has no limit of its own: both compete for the process's limit */
};

static bool overtook(const struct sim_conn *other, const struct sim_conn *conn)
{
    return other && other->accepted && other->arrived_ns > conn->arrived_ns && other->accepted_ns < conn->accepted_ns;
}

static struct overtaking count_overtaking(const struct world *world, const struct pair *pair)
{
    const struct sim_conn *conn = pair->client.conn;
    struct overtaking found = {0};

    for (uint32_t i = 0; i < world->pair_count; i++) {
        const struct pair *other = &world->pairs[i];

        if (!overtook(other->client.conn, conn))
            continue;
        found.in_queue += other->client.conn->listener == conn->listener;
        found.at_listener += other->listener == pair->listener;
        found.elsewhere += other->listener != pair->listener && world->listeners[pair->listener].settings.max_connections == 0;
    }
    return found;
}

void check_overtaking(struct world *world)
{
    for (uint32_t i = 0; i < world->pair_count; i++) {
        const struct sim_conn *conn = world->pairs[i].client.conn;
        struct overtaking found;

        if (!conn || !conn->accepted)
            continue;
        if (conn->served_ns > conn->accepted_ns + PATIENCE_MS * MS)
            world_fail(world, "pair %u: was kept in a mailbox", i);
        found = count_overtaking(world, &world->pairs[i]);
        if (found.in_queue > 0)
            world_fail(world, "pair %u: was overtaken in its own queue", i);
        if (!excused(world) && (found.at_listener > OVERTAKEN_MAX || found.elsewhere > OVERTAKEN_MAX))
            world_fail(world, "pair %u: was overtaken by %u clients of its listener and %u of another one", i, found.at_listener, found.elsewhere);
    }
}
