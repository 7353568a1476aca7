/* test/sim/engine_send.c: the simulated engine's sends: made at once, or gathered and made when the wait begins, as io/uring_sending.c does it. Test thread;
 * owns nothing. */
#include <errno.h>

#include "engine.h"

void engine_check_lent(const struct sim_conn *conn)
{
    if (slab_is_free(&conn->engine->io.buffers.slab, conn->sock->send_data))
        sim_fail(conn->sim, "a buffer was given back while it is being sent");
}

/* Makes one send(2). */
static int64_t send_now(struct sim_conn *conn, const uint8_t *data, uint32_t bytes, const char *what)
{
    int64_t sent = sim_chance(conn->sim, conn->sim->options.chances.again) ? 0 : sim_send(conn, data, bytes);

    sim_note(conn->sim, conn, what, sent);
    return sent;
}

/* ---- a single send ---- */

static void sent(struct sim_conn *conn, int error)
{
    struct io *io = &conn->engine->io;
    struct io_sock *sock = conn->sock;

    if ((error == 0 || error == EPIPE) && io->sent_ns > conn->active_ns) /* EPIPE, because the peer does not read any more, counts as activity too */
        conn->active_ns = io->sent_ns;
    sock->send_data = NULL;
    sim_note(conn->sim, conn, "sent", error);
    sock->events->sent(sock, error);
}

void engine_send_on(struct sim_conn *conn)
{
    struct io_sock *sock = conn->sock;
    int64_t taken;

    engine_check_lent(conn);
    taken = send_now(conn, sock->send_data, sock->send_bytes, "send on");
    if (taken > 0) {
        sock->send_data += taken;
        sock->send_bytes -= (uint32_t)taken;
    }
    if (taken < 0)
        sent(conn, (int)-taken);
    else if (sock->send_bytes == 0)
        sent(conn, 0);
    else
        engine_start(conn, SIM_OP_OUT);
}

/* ---- gathered sends ---- */

bool engine_is_gathered(const struct sim_conn *conn)
{
    return conn->sock && conn->sock->in_flight & 1u << SIM_OP_SEND;
}

static bool gather(struct sim_engine *engine, struct sim_conn *conn, const uint8_t *data, uint32_t bytes)
{
    if (!engine->sim->options.gathers || engine->gathered_count == engine->sim->options.gathered_max)
        return false;
    conn->sock->send_data = data;
    conn->sock->send_bytes = bytes;
    conn->sock->in_flight |= 1u << SIM_OP_SEND;
    engine->gathered[engine->gathered_count++] = conn;
    return true;
}

static void make_one(struct sim_conn *conn)
{
    int64_t taken;

    engine_check_lent(conn);
    taken = send_now(conn, conn->sock->send_data, conn->sock->send_bytes, "gathered send");
    if (taken != conn->sock->send_bytes)
        engine_done(conn, (struct sim_done){.operation = SIM_OP_SEND, .last = true, .result = taken ? (int)taken : -EAGAIN});
}

bool engine_make_gathered(struct sim_engine *engine)
{
    struct sim *sim = engine->sim;

    engine->gathered_prepared = engine->gathered_count;
    engine->gathered_ns = sim->now_ns;
    while (engine->gathered_made < engine->gathered_count) {
        if (sim_chance(sim, sim->options.chances.no_request))
            return false;
        make_one(engine->gathered[engine->gathered_made++]);
    }
    return true;
}

void engine_gathered_noted(struct sim_engine *engine)
{
    engine->gathered_mark = engine->sequence;
}

void engine_gathered_full(struct sim_engine *engine)
{
    if (engine->gathered_count - engine->gathered_prepared < engine->sim->options.gather_batch)
        return;
    (void)engine_submit(engine);
    (void)engine_make_gathered(engine);
    engine_gathered_noted(engine);
}

/* Removes the connection from the gathered sends that were made, because its failure is reported now. */
static void forget(struct sim_engine *engine, const struct sim_conn *conn)
{
    for (uint32_t i = 0; i < engine->gathered_made; i++) {
        if (engine->gathered[i] == conn)
            engine->gathered[i] = NULL;
    }
}

void engine_gathered_failed(struct sim_conn *conn, int result)
{
    struct io_sock *sock = conn->sock;

    forget(conn->engine, conn);
    if (sock->closing)
        return;
    if (result > 0) {
        sock->send_data += result;
        sock->send_bytes -= (uint32_t)result;
    }
    if (result < 0 && result != -EAGAIN)
        sent(conn, -result);
    else
        engine_send_on(conn);
}

/* Whether the kernel has made all submitted sends, and all their failures are reported. */
static bool settled(const struct sim_engine *engine)
{
    if (engine->gathered_made < engine->gathered_prepared)
        return false;
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        const struct sim_conn *conn = container_of(link, struct sim_conn, care);

        if (conn->done_count > 0 && conn->done[conn->done_first].sequence <= engine->gathered_mark)
            return false;
    }
    return true;
}

void engine_settle(struct sim_engine *engine)
{
    uint32_t count = engine->gathered_prepared;

    if (count == 0)
        return;
    if (!settled(engine)) {
        engine->hurried = true; /* `sent` is not reported yet, and the caller of io_hurry() waits for it */
        return;
    }
    engine->io.sent_ns = engine->gathered_ns;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_conn *conn = engine->gathered[i];

        if (!conn) /* its send has failed, which was reported */
            continue;
        conn->sock->in_flight &= (uint8_t) ~(1u << SIM_OP_SEND);
        if (conn->sock->closing)
            engine_closing_progress(conn, NULL);
        else
            sent(conn, 0);
    }
    engine->io.sent_ns = engine->io.now_ns;
    engine->gathered_count -= count;
    for (uint32_t i = 0; i < engine->gathered_count; i++)
        engine->gathered[i] = engine->gathered[count + i];
    engine->gathered_prepared = 0;
    engine->gathered_made = 0;
}

/* ---- of struct io_ops ---- */

int engine_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    struct sim_engine *engine = engine_of(io);
    struct sim_conn *conn = engine_conn(engine, sock);
    int64_t taken;

    if (bytes == 0 || sock->send_data || sock->in_flight & 1u << SIM_OP_OUT)
        sim_fail(engine->sim, "a send of nothing, or beside another, or beside a poll for room");
    if (gather(engine, conn, data, bytes))
        return IO_PENDING;
    taken = send_now(conn, data, bytes, "send");
    if (taken == bytes || taken < 0) {
        conn->active_ns = io->now_ns;
        return taken < 0 ? (int)taken : IO_SENT;
    }
    sock->send_data = data + taken;
    sock->send_bytes = bytes - (uint32_t)taken;
    engine_start(conn, SIM_OP_OUT);
    return IO_PENDING;
}

void engine_hurry(struct io *io)
{
    engine_of(io)->hurried = true;
}
