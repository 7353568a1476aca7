/* test/sim/check_end.c: checks a session that begins to close, the end that its peers see, and the state after the run. Test thread; owns nothing. */
#include "table/counters.h"
#include "table/listener.h"
#include "table/table.h"
#include "world.h"

enum { RESOURCES_RETRY_MS = 22 };

/* ---- when a session closes ---- */

bool check_is_late(const struct session *session)
{
    uint64_t timeout_ns = session_settings(session)->retry_timeout_ms * MS;

    return timeout_ns > 0 && session->worker->io->now_ns / MS * MS >= session->accepted_ns / MS * MS + timeout_ns;
}

uint64_t check_began_ns(const struct session *session)
{
    return session->accepted_ns + session->connecting_ms * MS;
}

/* The session has tried each of these backends that was not full. */
static void check_asked(struct world *world, const struct session *session, const struct snapshot_backend *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool tried = false;

        for (uint32_t t = 0; t < session->tried_count; t++)
            tried |= session->tried[t] == rows[i].backend->id;
        if (!tried && !backend_full(rows[i].backend))
            world_fail(world, "backend %s was never asked by a session that ended unserved", rows[i].backend->name);
    }
}

/* A session that ended without a backend has used all its retries, or has tried every backend that could have served it. If its pool has left the
 * configuration, it has moved to the pool that its listener names, which is missing only if the listener has left too. */
static void check_unserved(struct world *world, const struct session *session)
{
    const struct snapshot_pool *pool = snapshot_find(session->worker->snapshot, session->lease.pool);
    const struct listener *listener = session->lease.listener;

    if ((session->end == END_NO_ANSWER || session->end == END_BACKEND_GONE || session->end == END_FIRST_BYTE_TIMEOUT) &&
        session->failures > world->longest[session->lease.pool->name[0] - 'a'].retries)
        world_fail(world, "a session gave up its backend although it may not try another one");
    if (session->failures > session_settings(session)->retries || check_is_late(session))
        return;
    if (!pool) {
        if (!listener->leaving || listener_pool(listener) != session->lease.pool)
            world_fail(world, "a session ended unserved because its pool had left, although its listener leads to another one");
        return;
    }
    check_asked(world, session, pool->usable, pool->usable_count);
    if (session->failures > 0)
        check_asked(world, session, pool->reserve, pool->reserve_count);
}

/* Nothing may have been sent to the client, and nothing that has come from it may be missing: the next backend gets everything. */
void check_given_up(struct world *world, const struct session *session)
{
    struct pair *pair = pair_of(world, session);
    const struct sim_conn *client = pair->client.conn, *backend = pair->backend.conn;
    const struct direction *request = &session->directions[CLIENT];
    bool is_evicted = session->last_error == 103 /* ECONNABORTED */;
    uint64_t held = 0;

    for (const struct buffer *buffer = request->held.first; buffer; buffer = buffer->next)
        held += buffer_length(buffer);
    if (client->out.total > 0 || client->out.length > 0 || client->out.fin)
        world_fail(world, "pair %u: another backend is tried after something was sent to the client", pair->index);
    if (held != request->bytes)
        world_fail(world, "pair %u: %llu bytes are held for the next backend, and %llu have come", pair->index, (unsigned long long)held,
                   (unsigned long long)request->bytes);
    if (is_evicted)
        check_moved(world, session);
    if (backend->in.total > 0 && session->last_error != 110 && !is_evicted)
        world_fail(world, "pair %u: the backend is given up although its answer has come", pair->index);
    if (session->last_error == 61 /* ENODATA: it has sent FIN */ && !(pair->backend.fin_sent && pair->backend.sent == 0))
        world_fail(world, "pair %u: the backend is given up although it has not ended", pair->index);
    if (backend->established && !backend->failed && session->last_error != 61 && session->last_error != 110 && session->last_error != 111 && !is_evicted)
        world_fail(world, "pair %u: the backend is given up although it is not gone", pair->index);
}

/* Whether the session receives bytes and drops them. They do not count as activity, unlike in check_last_activity_ns(). */
static bool drops_bytes(const struct session *session)
{
    return session->directions[CLIENT].phase == DIRECTION_DROP || session->directions[BACKEND].phase == DIRECTION_DROP;
}

static void check_idle(struct world *world, const struct session *session, const struct pair *pair)
{
    uint64_t last = check_last_activity_ns(world, session), now = session->worker->io->now_ns;

    if (!drops_bytes(session) && !pair->end_failed && now + 2 * MS < last + check_idle_ms(session, session_settings(session)) * MS)
        world_fail(world, "pair %u: called idle after %llu ms of %llu", pair->index, (unsigned long long)((now - last) / MS),
                   (unsigned long long)check_idle_ms(session, session_settings(session)));
}

static void check_unanswered(struct world *world, const struct session *session, const struct pair *pair)
{
    uint64_t timeout_ms = session_settings(session)->first_byte_timeout_ms;

    if (timeout_ms == 0 || !check_may_await_answer(session))
        world_fail(world, "pair %u: no first byte from the backend was awaited", pair->index);
    if (!drops_bytes(session) && session->worker->io->now_ns + 2 * MS < check_first_byte_ns(world, session, timeout_ms))
        world_fail(world, "pair %u: the backend's first byte was not awaited for first_byte_timeout = %llu ms", pair->index, (unsigned long long)timeout_ms);
}

static void check_lifetime(struct world *world, const struct session *session, const struct pair *pair)
{
    const struct pool_settings *settings = session_settings(session);
    uint64_t now = session->worker->io->now_ns, last = check_last_activity_ns(world, session);

    if (settings->lifetime_ms == 0 || now + 2 * MS < check_lifetime_ns(session, settings, -1))
        world_fail(world, "pair %u: the lifetime ended after %llu ms of %u", pair->index, (unsigned long long)((now - session->connected_ns) / MS),
                   settings->lifetime_ms);
    if (settings->lifetime_quiet_ms > 0 && (pair->half_closed || drops_bytes(session) || now + 2 * MS < last + settings->lifetime_quiet_ms * MS))
        world_fail(world, "pair %u: the lifetime ended %llu ms after the last byte, not in a gap of %u", pair->index, (unsigned long long)((now - last) / MS),
                   settings->lifetime_quiet_ms);
}

static void check_eviction(struct world *world, const struct session *session, struct pair *pair)
{
    if (!session->connected_ns) { /* it has left its backend, and found no other one */
        check_unserved(world, session);
        return;
    }
    check_evicted(world, session);
    pair->quiet = eviction_is_quiet(world, session);
}

void check_closing(struct world *world, struct session *session)
{
    struct pair *pair = pair_of(world, session);

    pair->ended = true;
    pair->ended_ns = session->worker->io->now_ns;
    pair->reason = session->end;
    pair->relayed = session->connected_ns != 0;
    pair->half_closed = session->directions[CLIENT].phase == DIRECTION_ENDED || session->directions[BACKEND].phase == DIRECTION_ENDED;
    for (int source = CLIENT; source <= BACKEND; source++)
        pair->taken[source] = session->directions[source].bytes;
    pair->end_failed = session->ends[CLIENT].error || session->ends[BACKEND].error;
    world->sessions_seen++;
    check_outcome_closing(world, session, pair);
    sim_note(world->sim, pair->client.conn, "session ends", session->end);
    if (world->quick && session->end != END_NORMAL)
        world_fail(world, "pair %u: an orderly session ended for reason %d", pair->index, (int)session->end);
    switch (session->end) {
    case END_NORMAL:
        if (session->directions[CLIENT].phase != DIRECTION_ENDED || session->directions[BACKEND].phase != DIRECTION_ENDED || pair->end_failed)
            world_fail(world, "pair %u: not a normal end", pair->index);
        break;
    case END_CLIENT_GONE:
    case END_BACKEND_GONE:
        if (session->end == END_BACKEND_GONE && !session->connected_ns)
            check_unserved(world, session);
        else if (!(session->end == END_CLIENT_GONE ? &pair->client : &pair->backend)->conn->failed)
            world_fail(world, "pair %u: the %s is not gone", pair->index, session->end == END_CLIENT_GONE ? "client" : "backend");
        break;
    case END_CLIENT_LEFT:
        if (session->connected_ns || !pair->client.conn->failed)
            world_fail(world, "pair %u: the client had not left while connecting", pair->index);
        break;
    case END_CLIENT_IDLE:
    case END_BACKEND_IDLE:
        check_idle(world, session, pair);
        break;
    case END_FIRST_BYTE_TIMEOUT:
        if (session->connected_ns)
            check_unanswered(world, session, pair);
        else
            check_unserved(world, session);
        break;
    case END_LIFETIME:
        check_lifetime(world, session, pair);
        pair->quiet = session_settings(session)->lifetime_quiet_ms > 0;
        break;
    case END_NO_ANSWER:
    case END_NO_BACKEND:
    case END_CONNECT_REFUSED:
    case END_CONNECT_TIMEOUT:
        check_unserved(world, session);
        break;
    case END_NO_RESOURCES:
        if (!check_is_late(session) && session->worker->io->now_ns + RESOURCES_RETRY_MS * MS < check_began_ns(session) + session_settings(session)->connect_timeout_ms * MS)
            world_fail(world, "pair %u: patience with a lack of resources ended too early", pair->index);
        break;
    case END_BACKEND_DOWN:
    case END_BACKEND_DRAINED:
    case END_FAILBACK:
        check_eviction(world, session, pair);
        break;
    case END_KILLED:
        surveys_check_killed(world, session);
        break;
    default:
        break;
    }
}

/* ---- the end of file that a peer receives ---- */

/* A peer may receive a clean end of file only when everything was delivered. The exceptions are a session that ended by an idle timeout, and one that was
 * closed while it was quiet, because of its backend or its lifetime: its peers get a clean end of file too, after all that the session has received, unless one
 * of the session's ends had an error. */
void check_fin_heard(struct peer *peer)
{
    struct pair *pair = peer->pair;
    const struct peer *mate = peer_mate(peer);
    bool forwarded = pair->has_backend && mate->fin_sent && peer->received == mate->sent && tap_heard(peer);
    bool unused = peer->side == BACKEND && pair->ended && !pair->relayed; /* it was connected just when the session gave up */
    bool silent = pair->ended && !pair->half_closed && peer->received == pair->taken[!peer->side] &&
                  (pair->reason == END_CLIENT_IDLE || pair->reason == END_BACKEND_IDLE || pair->quiet);

    if (!forwarded && !unused && !(silent && !pair->end_failed))
        world_fail(peer->world, "pair %u: the %s hears a clean end after %llu of %llu bytes", pair->index, peer->side == CLIENT ? "client" : "backend",
                   (unsigned long long)peer->received, (unsigned long long)mate->sent);
}

/* ---- after the run ---- */

/* Whether the peer reads something every second for as long as there are bytes to read. */
static bool steady(const struct peer *peer)
{
    if (peer->world->sim->options.tiny) /* if one byte leaves the socket and one enters it between two checks, the worker sees no progress */
        return false;
    return !peer->script.deaf && peer->script.deaf_ms == 0 && peer->script.reset_after_received == NEVER;
}

static void check_survivor(struct world *world, const struct peer *survivor, const struct peer *gone)
{
    const char *name = survivor->side == CLIENT ? "client" : "backend";

    if (survivor->conn->failed || survivor->reset_done || survivor->script.deaf)
        return;
    if (!survivor->reset_heard && !survivor->fin_heard)
        world_fail(world, "pair %u: the %s was never told of the end", survivor->pair->index, name);
    if (steady(survivor) && survivor->received < gone->conn->in.total)
        world_fail(world, "pair %u: the %s got %llu of %llu bytes that had come before the other side went away", survivor->pair->index, name,
                   (unsigned long long)survivor->received, (unsigned long long)gone->conn->in.total);
}

static void check_normal(struct world *world, const struct peer *peer)
{
    if (peer->script.deaf || peer->reset_done || peer->conn->failed)
        return;
    if (!peer->fin_heard || peer->reset_heard)
        world_fail(world, "pair %u: the %s did not hear the orderly end", peer->pair->index, peer->side == CLIENT ? "client" : "backend");
}

void check_pairs(struct world *world)
{
    for (uint32_t i = 0; i < world->pair_count; i++) {
        const struct pair *pair = &world->pairs[i];

        if (world->quick && !pair->ended)
            world_fail(world, "pair %u: was not served", i);
        if (!pair->ended)
            continue;
        if (pair->reason == END_NORMAL) {
            check_normal(world, &pair->client);
            check_normal(world, &pair->backend);
        } else if (pair->reason == END_CLIENT_GONE) {
            check_survivor(world, &pair->backend, &pair->client);
        } else if (pair->reason == END_BACKEND_GONE && pair->relayed) {
            check_survivor(world, &pair->client, &pair->backend);
        }
    }
}

void check_end(struct world *world)
{
    const struct sim *sim = world->sim;
    uint64_t ended = 0, accepted = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        ended += counters_read(&world->counters[i].ended);
        accepted += counters_read(&world->counters[i].accepted);
    }
    if (sim->conns_open > 0)
        world_fail(world, "%u descriptors are left open", sim->conns_open);
    if (world->taps > 0)
        world_fail(world, "%u taps were not freed", world->taps);
    if (sim->pipes_open > 0)
        world_fail(world, "%u pipes are left open", sim->pipes_open);
    if (limit_used(&world->connections) > 0)
        world_fail(world, "%u places of the process's limit were not given back", limit_used(&world->connections));
    check_outcome_end(world);
    if (ended != world->sessions_seen || accepted < world->sessions_seen)
        world_fail(world, "%llu sessions were counted, of %llu", (unsigned long long)ended, (unsigned long long)world->sessions_seen);
}
