/* test/sim/world_hooks.c: what the test does when a client is accepted, and when a session connects or closes. Test thread; owns nothing. */
#include "table/backend.h"
#include "table/snapshot.h"
#include "world.h"

struct pair *pair_of(struct world *world, const struct session *session)
{
    return ((struct peer *)sim_conn_find(world->sim, session->ends[CLIENT].sock.fd)->peer)->pair;
}

void world_note_pool(struct pair *pair, const struct session *session)
{
    if (pair->pool == session->lease.pool)
        return;
    pair->pool = session->lease.pool;
    pair->pool_ns = session->worker->io->now_ns;
    pair->failed_count = 0;
}

static bool has_failed(const struct pair *pair, const struct backend *backend)
{
    for (uint32_t i = 0; i < pair->failed_count; i++) {
        if (pair->failed[i] == backend->id)
            return true;
    }
    return false;
}

bool world_lacks_address(const struct world *world, const struct addr *to)
{
    return addr_family(to) == AF_INET && (ntohl(to->in.sin_addr.s_addr) & 255) == world->unreachable;
}

static bool lacks_address(struct sim *sim, const struct addr *to)
{
    return world_lacks_address(sim->options.owner, to);
}

/* Whether the worker's snapshot has the backend. */
static bool is_published(const struct session *session)
{
    const struct snapshot_pool *pool = snapshot_find(session->worker->snapshot, session->lease.pool);

    for (uint32_t i = 0; pool && i < pool->usable_count; i++) {
        if (pool->usable[i].backend == session->lease.backend)
            return true;
    }
    for (uint32_t i = 0; pool && session->failures > 0 && i < pool->reserve_count; i++) {
        if (pool->reserve[i].backend == session->lease.backend)
            return true;
    }
    return false;
}

static void draw_answer(struct world *world, struct sim_conn *conn, const struct session *session)
{
    static const int errors[] = {111 /* ECONNREFUSED */, 113 /* EHOSTUNREACH */, 110 /* ETIMEDOUT */};
    struct sim *sim = world->sim;
    uint64_t timeout = session_settings(session)->connect_timeout_ms * MS;
    int error = 0;

    if (world_lacks_address(world, &session->lease.backend->addr)) {
        error = 99 /* EADDRNOTAVAIL */;
    } else if (!sim_chance(sim, world->mood[world_pool_of(session->lease.backend)][world_backend_of(session->lease.backend)])) {
        if (sim_chance(sim, world->lack))
            error = 99 /* EADDRNOTAVAIL */;
        else if (sim_chance(sim, 300)) /* the attempt gets no answer */
            return;
        else
            error = errors[sim_below(sim, sizeof(errors) / sizeof(errors[0]))];
    }
    if (error != 99 && sim_chance(sim, world->quick ? 0 : 150)) /* the answer arrives about when connect_timeout ends */
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
    if (session->attempts > 0 && pair->pool == session->lease.pool && check_is_late(session)) /* not if it has just changed to this pool */
        world_fail(world, "pair %u: an attempt begins after retry_timeout", pair->index);
    if (!is_published(session) && !backend_serves(session->lease.backend)) /* a backend that is tried again need not be in the snapshot */
        world_fail(world, "pair %u: connects to backend %s, which is not usable", pair->index, session->lease.backend->name);
    world_note_pool(pair, session);
    if (has_failed(pair, session->lease.backend))
        world_fail(world, "pair %u: backend %s is asked again although it failed", pair->index, session->lease.backend->name);
    pair->has_backend = true;
    pair->backend = (struct peer){.world = world, .pair = pair, .side = BACKEND, .conn = conn};
    peer_draw(&pair->backend);
    conn->peer = &pair->backend;
    draw_answer(world, conn, session);
}

static void on_accepted(struct sim_conn *conn, const struct sim_engine *engine)
{
    check_accepted(conn->sim->options.owner, ((struct peer *)conn->peer)->pair, engine->index);
}

static void on_closing(struct sim_conn *conn)
{
    struct world *world = conn->sim->options.owner;
    struct session *session = session_of_sock(conn->sock);
    struct peer *peer = conn->peer;

    if (session->state != SESSION_CLOSING) { /* the attempt has failed, or the backend has died before it answered */
        if ((session->state != SESSION_CONNECTING && session->state != SESSION_RECONNECTING) || peer->side != BACKEND)
            world_fail(world, "pair %u: one end is closed in state %d", peer->pair->index, (int)session->state);
        world_note_pool(peer->pair, session);
        if (session->state == SESSION_RECONNECTING)
            check_given_up(world, session);
        check_outcome_attempt(world, session);
        if (check_own_fault(world, session) && !session->again && peer->pair->failed_count < FAILED_MAX)
            peer->pair->failed[peer->pair->failed_count++] = session->lease.backend->id;
        peer->pair->has_backend = false;
        peer_forget(peer);
    } else if (!peer->pair->ended) {
        check_closing(world, session);
    }
}

static void on_unlistening(struct sim_conn *conn, const struct sim_engine *engine)
{
    struct world *world = conn->sim->options.owner;

    if (!list_empty(&conn->queue) && !world->members[engine->index].worker->stopping)
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

static void on_failed(struct sim *sim, const char *what)
{
    world_fail(sim->options.owner, "%s", what);
}

const struct sim_hooks world_hooks = {
    .connecting = on_connecting,
    .lacks_address = lacks_address,
    .accepted = on_accepted,
    .closing = on_closing,
    .unlistening = on_unlistening,
    .changed = on_changed,
    .failed = on_failed,
    .udp = &check_udp_hooks,
};
