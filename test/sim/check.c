/* test/sim/check.c: checks the sessions of a worker that has just had its turn. Test thread; owns nothing. */
#include "table/pool.h"
#include "worker/relay.h"
#include "worker/tap.h"
#include "world.h"

enum { SAME_RETRY_MS = 100, SLACK_MS = 1200, IDLE_SLACK_MS = 100, NOTICE_MS = 1000 };

/* After a failed send to a backend, its receive, which is in flight, shows whether it has answered. */
static bool awaits_answer(const struct session *session, int side)
{
    const struct direction *answer = &session->directions[BACKEND];

    return side == BACKEND && answer->bytes == 0 && (answer->receiving || answer->polling_in);
}

static void check_direction(struct world *world, const struct session *session, const struct direction *direction)
{
    uint64_t held = direction->sending ? buffer_length(direction->sending) : 0;
    unsigned pair = pair_of(world, session)->index;
    const struct pool_settings *longest = &world->longest[session->lease.pool->name[0] - 'a'];
    bool waiting = direction->receiving || direction->polling_in || direction->polling_out || direction->sending ||
                   (direction->source == CLIENT && session->ends[BACKEND].error && awaits_answer(session, BACKEND));

    for (const struct buffer *buffer = direction->held.first; buffer; buffer = buffer->next)
        held += buffer_length(buffer);
    if (direction->tap) {
        held += direction->tap->held_bytes;
        waiting |= direction->tap->held.first != NULL;
    }
    if (held > RELAY_CREDIT_BYTES + BUFFER_BYTES + world->tap_records[pair][direction->source].injected + longest->replay_bytes)
        world_fail(world, "pair %u: a direction holds %llu bytes", pair, (unsigned long long)held);
    if (direction->tap && direction->tap->ops->lasting && session->directions[BACKEND].bytes > 0)
        world_fail(world, "pair %u: the client's bytes are kept although the backend has answered", pair);
    if (direction->pipe.fds[0] < 0 && direction->pipe.bytes > 0)
        world_fail(world, "pair %u: no pipe, but bytes in it", pair);
    if (session->state == SESSION_RELAYING && direction->phase < DIRECTION_ENDED && !waiting)
        world_fail(world, "pair %u: a direction waits for nothing in phase %d", pair, (int)direction->phase);
    if (session->state == SESSION_RELAYING && direction->held.first && !direction->sending)
        world_fail(world, "pair %u: bytes are held and none is being sent", pair);
    if (session->state == SESSION_RELAYING && direction->sending && !engine_of(session->worker->io)->hurried &&
        !session->ends[!direction->source].sock.closing &&
        engine_is_gathered(sim_conn_find(world->sim, session->ends[!direction->source].sock.fd)) &&
        (direction->held.first || direction->phase == DIRECTION_ENDING || !direction->receiving))
        world_fail(world, "pair %u: a direction waits for a send of which nothing will be heard", pair);
    if (direction->pipe.fds[0] >= 0 && direction->pipe.bytes == 0)
        world_fail(world, "pair %u: an empty pipe is held", pair);
}

/* A direction returns to copying only because of the urgent mark, a lack of pipes, or calls that report EAGAIN although bytes are available. */
static void check_spliced(struct world *world, struct session *session, const struct direction *direction)
{
    const struct sim_chances *chances = &world->sim->options.chances;
    const struct pair *pair = pair_of(world, session);
    const struct peer *source = direction->source == CLIENT ? &pair->client : &pair->backend;

    if (session_settings(session)->splice == CONFIG_SPLICE_ALWAYS && direction->phase == DIRECTION_COPY && !direction->never_splice && chances->no_pipe == 0 &&
        chances->small_pipe == 0 && chances->again == 0 && chances->spurious == 0 && world->shared.pipes_max == 100 && source->script.urgent == 0 &&
        !world->shared.relaying && !(world->deadly && direction->source == CLIENT))
        world_fail(world, "pair %u: a direction copies although it may splice", pair->index);
}

uint64_t check_last_activity_ns(struct world *world, const struct session *session)
{
    uint64_t last = session->connected_ns;

    for (int side = CLIENT; side <= BACKEND; side++) {
        const struct sim_conn *conn = sim_conn_find(world->sim, session->ends[side].sock.fd);

        if (conn->active_ns > last)
            last = conn->active_ns;
    }
    return last;
}

static bool is_over(const struct direction *direction)
{
    return direction->phase == DIRECTION_ENDED || direction->phase == DIRECTION_DROP;
}

/* Whether the client has got neither a byte nor FIN from the backend. In DROP it is not known whether there were bytes. */
static bool is_unanswered(const struct session *session)
{
    return session->directions[BACKEND].bytes == 0 && !is_over(&session->directions[BACKEND]);
}

uint64_t check_idle_ms(const struct session *session, const struct pool_settings *settings)
{
    const struct direction *directions = session->directions;
    bool half = is_over(&directions[CLIENT]) || is_over(&directions[BACKEND]);
    uint64_t idle = settings->idle_timeout_ms, half_idle = settings->half_close_timeout_ms;

    if (directions[CLIENT].phase == DIRECTION_ENDED && is_unanswered(session))
        half = false;
    return half && half_idle < idle ? half_idle : idle;
}

bool check_may_await_answer(const struct session *session)
{
    return is_unanswered(session) && session->directions[CLIENT].bytes > 0;
}

uint64_t check_first_byte_ns(struct world *world, const struct session *session, uint64_t timeout_ms)
{
    uint64_t last = check_last_activity_ns(world, session), heard = backend_heard_ns(session->lease.backend);
    uint64_t busy = (heard > last ? heard : last) + timeout_ms * MS, longest = last + 4 * timeout_ms * MS;

    return busy < longest ? busy : longest;
}

uint64_t check_lifetime_ns(const struct session *session, const struct pool_settings *settings, int jitter_sign)
{
    uint64_t percent = (uint64_t)(100 + jitter_sign * settings->lifetime_jitter_percent);

    return session->connected_ns + settings->lifetime_ms * percent * MS / 100;
}

/* Returns when a RELAYING session ends at the latest if no byte moves. */
static uint64_t relaying_due_ns(struct world *world, const struct session *session, const struct pool_settings *longest)
{
    const struct direction *directions = session->directions;
    uint64_t last = check_last_activity_ns(world, session), due = last + check_idle_ms(session, longest) * MS;
    uint64_t first_byte = check_first_byte_ns(world, session, longest->first_byte_timeout_ms), lifetime = check_lifetime_ns(session, longest, 1);
    bool in_order = !is_over(&directions[CLIENT]) && !is_over(&directions[BACKEND]) && relay_flushed(&directions[CLIENT]) && relay_flushed(&directions[BACKEND]);

    if (longest->first_byte_timeout_ms > 0 && check_may_await_answer(session) && first_byte < due)
        due = first_byte;
    if (longest->lifetime_quiet_ms > 0 && last + longest->lifetime_quiet_ms * MS > lifetime)
        lifetime = last + longest->lifetime_quiet_ms * MS;
    if (longest->lifetime_ms > 0 && (longest->lifetime_quiet_ms == 0 || in_order) && lifetime < due)
        due = lifetime;
    return due;
}

static void check_time(struct world *world, const struct session *session)
{
    uint64_t now = session->worker->io->now_ns, due = 0;
    const struct pair *pair = session->ends[CLIENT].open ? pair_of(world, session) : NULL;
    const struct pool_settings *longest = &world->longest[session->lease.pool->name[0] - 'a'];

    switch (session->state) {
    case SESSION_CONNECTING:
    case SESSION_RECONNECTING: /* a session whose pool has left starts again in another pool */
        due = (pair && pair->pool_ns > check_began_ns(session) ? pair->pool_ns : check_began_ns(session)) + (longest->retries + 2) * (longest->connect_timeout_ms + SAME_RETRY_MS) * MS;
        break;
    case SESSION_RELAYING:
        due = relaying_due_ns(world, session, longest);
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

/* A session must notice a reset even while it reads nothing. */
static void check_noticed(struct world *world, const struct session *session)
{
    for (int side = CLIENT; side <= BACKEND; side++) {
        const struct sim_conn *conn = sim_conn_find(world->sim, session->ends[side].sock.fd);

        if (session->directions[!side].phase == DIRECTION_DROP) /* a send noticed it: a closed UNIX peer looks like one that only stopped reading */
            continue;
        if (session->ends[side].error && !awaits_answer(session, side))
            world_fail(world, "pair %u: the %s is known to be gone, and the session goes on", pair_of(world, session)->index,
                       side == CLIENT ? "client" : "backend");
        if (conn->failed && session->worker->io->now_ns > conn->failed_ns + NOTICE_MS * MS &&
            session->worker->io->now_ns > session->connected_ns + NOTICE_MS * MS)
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

    if (session->ends[CLIENT].open)
        world_note_pool(pair_of(world, session), session);
    check_time(world, session);
    if (backend->open && !session->lease.backend)
        world_fail(world, "a backend's socket is open without a slot");
    if ((session->state == SESSION_RELAYING || session->state == SESSION_ABORTING) && (!backend->open || backend->sock.closing))
        world_fail(world, "a session relays without a backend");
    if (session->state == SESSION_CLOSING)
        return;
    if (session->worker->stopping)
        world_fail(world, "a session lives on after the stop");
    if (pair_of(world, session)->ended)
        world_fail(world, "a session goes on after its end");
    check_not_left(world, session);
    if ((session->first_byte_ns > 0) != (session->directions[BACKEND].bytes > 0) || (session->first_byte_ns > 0 && session->first_byte_ns < session->connected_ns))
        world_fail(world, "pair %u: the first byte came at %llu, the backend was connected at %llu, and %llu bytes have come", pair_of(world, session)->index,
                   (unsigned long long)session->first_byte_ns, (unsigned long long)session->connected_ns, (unsigned long long)session->directions[BACKEND].bytes);
    if (session->state == SESSION_RELAYING)
        check_noticed(world, session);
    else if (session->state <= SESSION_RECONNECTING && client_failed(world, session) &&
             session->worker->io->now_ns > pair_of(world, session)->client.conn->failed_ns + NOTICE_MS * MS &&
             session->worker->io->now_ns > session->accepted_ns + NOTICE_MS * MS)
        world_fail(world, "pair %u: that the client is gone was not noticed while connecting", pair_of(world, session)->index);
    for (int source = CLIENT; source <= BACKEND && session->state > SESSION_RECONNECTING; source++) {
        check_direction(world, session, &session->directions[source]);
        check_spliced(world, session, &session->directions[source]);
    }
}

void check_sessions(struct member *member)
{
    const struct worker *worker = member->worker;

    for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next)
        check_session(member->world, container_of(link, struct session, link));
}
