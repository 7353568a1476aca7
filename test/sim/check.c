/* test/sim/check.c: what must hold after every turn, when a session closes, and at the end. */
#include "table/counters.h"
#include "table/table.h"
#include "worker/relay.h"
#include "worker/tap.h"
#include "world.h"

enum { SLACK_MS = 1200, IDLE_SLACK_MS = 100, NOTICE_MS = 1000, RESOURCES_RETRY_MS = 22 };

/* ---- after every turn ---- */

static void check_direction(struct world *world, const struct session *session, const struct direction *direction)
{
    uint64_t held = direction->sending ? buffer_length(direction->sending) : 0;
    unsigned pair = pair_of(world, session)->index;
    bool waiting = direction->receiving || direction->polling_in || direction->polling_out || direction->sending;

    for (const struct buffer *buffer = direction->held.first; buffer; buffer = buffer->next)
        held += buffer_length(buffer);
    if (direction->tap) {
        held += direction->tap->held_bytes;
        waiting |= direction->tap->held.first != NULL;
    }
    if (held > RELAY_CREDIT_BYTES + BUFFER_BYTES + world->tap_records[pair][direction->source].injected)
        world_fail(world, "pair %u: a direction holds %llu bytes", pair, (unsigned long long)held);
    if (direction->pipe.fds[0] < 0 && direction->pipe.bytes > 0)
        world_fail(world, "pair %u: no pipe, but bytes in it", pair);
    if (session->state == SESSION_RELAYING && direction->phase < DIRECTION_ENDED && !waiting)
        world_fail(world, "pair %u: a direction waits for nothing in phase %d", pair, (int)direction->phase);
    if (session->state == SESSION_RELAYING && direction->held.first && !direction->sending)
        world_fail(world, "pair %u: bytes are held and none is being sent", pair);
    if (session->state == SESSION_RELAYING && direction->sending && !world->sim->hurried && !session->ends[!direction->source].sock.closing &&
        sim_conn_find(world->sim, session->ends[!direction->source].sock.fd)->gathered &&
        (direction->held.first || direction->phase == DIRECTION_ENDING || !direction->receiving))
        world_fail(world, "pair %u: a direction waits for a send of which nothing will be heard", pair);
    if (direction->pipe.fds[0] >= 0 && direction->pipe.bytes == 0)
        world_fail(world, "pair %u: an empty pipe is held", pair);
}

/* Only the urgent mark, a want of pipes, and calls that say that there is nothing although there is bring a direction back to copying. */
static void check_spliced(struct world *world, struct session *session, const struct direction *direction)
{
    const struct sim_chances *chances = &world->sim->options.chances;
    const struct pair *pair = pair_of(world, session);
    const struct peer *source = direction->source == CLIENT ? &pair->client : &pair->backend;

    if (session_settings(session)->splice == CONFIG_SPLICE_ALWAYS && direction->phase == DIRECTION_COPY && !direction->never_splice && chances->no_pipe == 0 &&
        chances->small_pipe == 0 && chances->again == 0 && chances->spurious == 0 && world->shared.pipes_max == 100 && source->script.urgent == 0 &&
        !world->shared.relaying)
        world_fail(world, "pair %u: a direction copies although it may splice", pair->index);
}

static uint64_t last_activity_ns(struct world *world, const struct session *session)
{
    uint64_t last = session->connected_ns;

    for (int side = CLIENT; side <= BACKEND; side++) {
        const struct sim_conn *conn = sim_conn_find(world->sim, session->ends[side].sock.fd);

        if (conn->active_ns > last)
            last = conn->active_ns;
    }
    return last;
}

/* What may pass without a byte. */
static uint64_t patience_ms(const struct session *session)
{
    bool half = false;
    uint64_t idle = session_settings(session)->idle_timeout_ms, half_idle = session_settings(session)->half_close_timeout_ms;

    for (int source = CLIENT; source <= BACKEND; source++)
        half |= session->directions[source].phase == DIRECTION_ENDED || session->directions[source].phase == DIRECTION_DROP;
    return half && half_idle < idle ? half_idle : idle;
}

static void check_time(struct world *world, const struct session *session)
{
    uint64_t now = world->sim->io.now_ns, due = 0;
    const struct pair *pair = session->ends[CLIENT].open ? pair_of(world, session) : NULL;

    switch (session->state) {
    case SESSION_CONNECTING:
        due = session->accepted_ns + (session_settings(session)->retries + 2) * session_settings(session)->connect_timeout_ms * MS;
        break;
    case SESSION_RELAYING:
        due = last_activity_ns(world, session) + patience_ms(session) * MS;
        break;
    case SESSION_ABORTING:
        due = session->active_ns + 1000 * MS;
        break;
    default:
        due = pair ? pair->ended_ns : now;
    }
    if (now > due + (session->state == SESSION_RELAYING ? IDLE_SLACK_MS : SLACK_MS) * MS)
        world_fail(world, "a session is overdue in state %d", (int)session->state);
    if (session->state < SESSION_CLOSING && !session->timer.armed && !session->ends[BACKEND].sock.closing)
        world_fail(world, "a session has no timer in state %d", (int)session->state);
}

/* A reset does not go unnoticed because nothing is being read. */
static void check_noticed(struct world *world, const struct session *session)
{
    for (int side = CLIENT; side <= BACKEND; side++) {
        const struct sim_conn *conn = sim_conn_find(world->sim, session->ends[side].sock.fd);

        if (session->directions[!side].phase == DIRECTION_DROP) /* noticed by a send: a UNIX peer that is gone looks like one that only stopped reading */
            continue;
        if (session->ends[side].error)
            world_fail(world, "pair %u: the %s is known to be gone, and the session goes on", pair_of(world, session)->index, side == CLIENT ? "client" : "backend");
        if (conn->failed && world->sim->io.now_ns > conn->failed_ns + NOTICE_MS * MS && world->sim->io.now_ns > session->connected_ns + NOTICE_MS * MS)
            world_fail(world, "pair %u: the end of the %s was not noticed", pair_of(world, session)->index, side == CLIENT ? "client" : "backend");
    }
}

static bool client_failed(struct world *world, const struct session *session)
{
    return pair_of(world, session)->client.conn->failed;
}

static void check_session(struct world *world, struct session *session)
{
    const struct end *backend = &session->ends[BACKEND];

    check_time(world, session);
    if (backend->open && !session->lease.backend)
        world_fail(world, "a backend's socket is open without a slot");
    if ((session->state == SESSION_RELAYING || session->state == SESSION_ABORTING) && (!backend->open || backend->sock.closing))
        world_fail(world, "a session relays without a backend");
    if (session->state == SESSION_CLOSING)
        return;
    if (world->stopped)
        world_fail(world, "a session lives on after the stop");
    if (pair_of(world, session)->ended)
        world_fail(world, "a session goes on after its end");
    if (session->state == SESSION_RELAYING)
        check_noticed(world, session);
    else if (session->state == SESSION_CONNECTING && client_failed(world, session) &&
             world->sim->io.now_ns > pair_of(world, session)->client.conn->failed_ns + NOTICE_MS * MS && world->sim->io.now_ns > session->accepted_ns + NOTICE_MS * MS)
        world_fail(world, "pair %u: that the client is gone was not noticed while connecting", pair_of(world, session)->index);
    for (int source = CLIENT; source <= BACKEND && session->state != SESSION_CONNECTING; source++) {
        check_direction(world, session, &session->directions[source]);
        check_spliced(world, session, &session->directions[source]);
    }
}

static void check_slots(struct world *world)
{
    const struct worker *worker = world->worker;

    for (uint32_t p = 0; p < world->config.pool_count; p++) {
        for (uint32_t b = 0; b < world->pools[p].backend_count; b++) {
            const struct backend *backend = table_backend(world->table, p, b);
            uint32_t slots = 0;

            for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next)
                slots += container_of(link, struct session, link)->lease.backend == backend;
            if (backend_in_flight(backend) != slots)
                world_fail(world, "backend %s has %u slots reserved by %u sessions", backend->name, backend_in_flight(backend), slots);
            if (backend_settings(backend)->max_connections && slots > backend_settings(backend)->max_connections)
                world_fail(world, "backend %s is above its limit", backend->name);
        }
    }
}

static void check_counts(struct world *world)
{
    const struct worker *worker = world->worker;
    uint32_t sessions = 0, of_listener[LISTENERS_MAX] = {0};

    for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next) {
        sessions++;
        for (uint32_t i = 0; i < world->config.listener_count; i++)
            of_listener[i] += container_of(link, struct session, link)->lease.listener == table_listener(world->table, i);
    }
    if (sessions != worker->sessions_slab.used || sessions != counters_active(world->counters) || sessions != limit_used(&world->connections))
        world_fail(world, "%u sessions, but %u objects, %u counted, %u of the limit", sessions, worker->sessions_slab.used,
                   counters_active(world->counters), limit_used(&world->connections));
    for (uint32_t i = 0; i < world->config.listener_count; i++) {
        uint32_t used = limit_used(&table_listener(world->table, i)->connections);

        if (used != of_listener[i])
            world_fail(world, "listener %u has %u connections by its limit and %u sessions", i, used, of_listener[i]);
    }
}

static void check_pipes(struct world *world)
{
    uint32_t open = 0;

    for (int size = 0; size < PIPE_SIZES; size++) {
        const struct pipe_shelf *shelf = &world->worker->pipes.shelves[size];

        open += shelf->open;
        for (uint32_t i = 0; i < shelf->idle_count; i++) {
            if (shelf->idle[i].bytes > 0 || world->sim->pipes[(shelf->idle[i].fds[0] & 0xfffff) / 2].length > 0)
                world_fail(world, "a pipe with bytes in it was pooled");
        }
    }
    if (open != world->sim->pipes_open)
        world_fail(world, "%u pipes are open and %u counted", world->sim->pipes_open, open);
}

void check_step(struct world *world)
{
    const struct worker *worker = world->worker;

    for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next)
        check_session(world, container_of(link, struct session, link));
    check_counts(world);
    check_slots(world);
    check_pipes(world);
}

/* ---- when a session closes ---- */

/* A session that ended without a backend: none that could have served it was left out. */
static void check_unserved(struct world *world, const struct session *session)
{
    const struct snapshot_pool *pool = snapshot_find(world->worker->snapshot, session->lease.pool);

    if (session->failures > session_settings(session)->retries)
        return;
    for (uint32_t i = 0; i < pool->usable_count; i++) {
        const struct backend *backend = pool->usable[i].backend;
        bool tried = false;

        for (uint32_t t = 0; t < session->request.tried_count; t++)
            tried |= session->request.tried[t] == backend->id;
        if (!tried && !backend_full(backend))
            world_fail(world, "backend %s was never asked by a session that ended unserved", backend->name);
    }
}

static void check_idle(struct world *world, const struct session *session, const struct pair *pair)
{
    uint64_t last = last_activity_ns(world, session), now = world->sim->io.now_ns;

    for (int source = CLIENT; source <= BACKEND; source++) {
        if (session->directions[source].phase == DIRECTION_DROP) /* bytes that are dropped do not count */
            return;
    }
    if (!pair->end_failed && now + 2 * MS < last + patience_ms(session) * MS)
        world_fail(world, "pair %u: called idle after %llu ms of %llu", pair->index, (unsigned long long)((now - last) / MS),
                   (unsigned long long)patience_ms(session));
}

void check_closing(struct world *world, struct session *session)
{
    struct pair *pair = pair_of(world, session);

    pair->ended = true;
    pair->ended_ns = world->sim->io.now_ns;
    pair->reason = session->end;
    pair->relayed = session->connected_ns != 0;
    pair->half_closed = session->directions[CLIENT].phase == DIRECTION_ENDED || session->directions[BACKEND].phase == DIRECTION_ENDED;
    pair->end_failed = session->ends[CLIENT].error || session->ends[BACKEND].error;
    world->sessions_seen++;
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
        if (!(session->end == END_CLIENT_GONE ? &pair->client : &pair->backend)->conn->failed)
            world_fail(world, "pair %u: the %s is not gone", pair->index, session->end == END_CLIENT_GONE ? "client" : "backend");
        break;
    case END_CLIENT_LEFT:
        if (session->connected_ns || !client_failed(world, session))
            world_fail(world, "pair %u: the client had not left while connecting", pair->index);
        break;
    case END_CLIENT_IDLE:
    case END_BACKEND_IDLE:
        check_idle(world, session, pair);
        break;
    case END_NO_BACKEND:
    case END_CONNECT_REFUSED:
    case END_CONNECT_TIMEOUT:
        check_unserved(world, session);
        break;
    case END_NO_RESOURCES:
        if (world->sim->io.now_ns + RESOURCES_RETRY_MS * MS < session->accepted_ns + session_settings(session)->connect_timeout_ms * MS)
            world_fail(world, "pair %u: patience with a lack of resources ended too early", pair->index);
        break;
    default:
        break;
    }
}

/* ---- what peers hear ---- */

/* A clean end is promised only when everything was delivered. Sessions in which both sides were silent too long are the exception: then it stands for that,
 * unless the other side was known to be gone. */
void check_fin_heard(struct peer *peer)
{
    struct pair *pair = peer->pair;
    const struct peer *mate = peer_mate(peer);
    bool forwarded = pair->has_backend && mate->fin_sent && peer->received == mate->sent && tap_heard(peer);
    bool unused = peer->side == BACKEND && pair->ended && !pair->relayed; /* connected just when patience had ended */
    bool silent = pair->ended && !pair->half_closed && (pair->reason == END_CLIENT_IDLE || pair->reason == END_BACKEND_IDLE);

    if (!forwarded && !unused && !(silent && !pair->end_failed))
        world_fail(peer->world, "pair %u: the %s hears a clean end after %llu of %llu bytes", pair->index, peer->side == CLIENT ? "client" : "backend",
                   (unsigned long long)peer->received, (unsigned long long)mate->sent);
}

/* ---- at the end ---- */

/* Always takes something within a second, for as long as there is something. */
static bool steady(const struct peer *peer)
{
    if (peer->world->sim->options.tiny) /* a byte in, a byte out: no look at the socket shows that anything moved */
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
        } else if (pair->reason == END_BACKEND_GONE) {
            check_survivor(world, &pair->client, &pair->backend);
        }
    }
}

void check_end(struct world *world)
{
    const struct sim *sim = world->sim;
    const struct counters *counters = world->counters;

    if (sim->conns_open > 0)
        world_fail(world, "%u descriptors are left open", sim->conns_open);
    if (world->taps > 0)
        world_fail(world, "%u taps were not freed", world->taps);
    if (sim->pipes_open > 0)
        world_fail(world, "%u pipes are left open", sim->pipes_open);
    if (sim->io.buffers.slab.used > 0)
        world_fail(world, "%u buffers were not given back", sim->io.buffers.slab.used);
    if (counters_read(&counters->ended) != world->sessions_seen || counters_read(&counters->accepted) < world->sessions_seen)
        world_fail(world, "%llu sessions were counted, of %llu", (unsigned long long)counters_read(&counters->ended), (unsigned long long)world->sessions_seen);
}
