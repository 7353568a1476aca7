/* test/sim/engine_close.c: closes sockets of the simulated engine: makes cancellations, as io/uring_ops.c does, and calls `closed`. Test thread; owns
 * nothing. */
#include <errno.h>

#include "engine.h"

/* CANCEL_FAILED: bit of sim_conn.cancelled: a cancellation did not find its operation. CANCEL_ALL: value of sim_conn.cancelling: all that the socket has in
 * flight. */
enum { CANCEL_FAILED = 1u << 7, CANCEL_ALL = SIM_OPS };

static void cancel(struct sim_conn *conn)
{
    unsigned left = conn->sock->in_flight & ~(1u << SIM_OP_CANCEL | 1u << SIM_OP_SEND | conn->cancelled);

    if (!left || conn->sock->in_flight & 1u << SIM_OP_CANCEL)
        return;
    conn->cancelling = (uint8_t)__builtin_ctz(left);
    conn->cancelled |= (uint8_t)(1u << conn->cancelling);
    engine_start(conn, SIM_OP_CANCEL);
}

static void cancel_ended(struct sim_conn *conn, int result)
{
    if (!(conn->sock->in_flight & ~(1u << SIM_OP_SEND)))
        return;
    if (result < 0 && conn->cancelled & CANCEL_FAILED) {
        conn->cancelling = CANCEL_ALL;
        engine_start(conn, SIM_OP_CANCEL);
        return;
    }
    if (result < 0)
        conn->cancelled = CANCEL_FAILED;
    cancel(conn);
}

void engine_closing_progress(struct sim_conn *conn, const struct sim_done *done)
{
    conn->closable = !conn->sock->in_flight;
    if (conn->closable || !done)
        return;
    if (done->operation == SIM_OP_CANCEL)
        cancel_ended(conn, done->result);
    else
        cancel(conn);
}

/* Ends one operation. It may first complete, or receive bytes. */
static void end_one(struct sim_conn *conn, int operation)
{
    struct sim_done done;

    if (sim_chance(conn->sim, 300) && engine_attempt(conn, operation, &done)) {
        engine_done(conn, done);
        if (done.last) {
            conn->armed &= (uint8_t) ~(1u << operation);
            return;
        }
    }
    conn->armed &= (uint8_t) ~(1u << operation);
    engine_done(conn, (struct sim_done){.operation = (uint8_t)operation, .last = true, .result = -ECANCELED});
}

void engine_cancel_now(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    struct sim_done done = {.operation = SIM_OP_CANCEL, .last = true};
    bool first = sim_chance(sim, 500); /* the completion of the cancellation comes before that of the operation */
    unsigned targets = conn->cancelling == CANCEL_ALL ? conn->armed & ~(1u << SIM_OP_CANCEL) : conn->armed & 1u << conn->cancelling;

    conn->armed &= (uint8_t) ~(1u << SIM_OP_CANCEL);
    if (!targets || (targets == 1u << SIM_OP_RECEIVE && conn->cancelling != CANCEL_ALL && sim_chance(sim, sim->options.chances.missed))) {
        done.result = -ENOENT;
        targets = 0;
    }
    if (first)
        engine_done(conn, done);
    for (int operation = 0; operation < SIM_OPS; operation++) {
        if (targets & 1u << operation)
            end_one(conn, operation);
    }
    if (!first)
        engine_done(conn, done);
}

void engine_close(struct io *io, struct io_sock *sock)
{
    struct sim_engine *engine = engine_of(io);
    struct sim_conn *conn = engine_conn(engine, sock);

    sock->closing = true;
    conn->cancelled = 0;
    engine->starving -= conn->starving;
    conn->starving = false;
    sim_note(engine->sim, conn, "close", sock->reset);
    if (!engine->sim->options.queued) {
        sock->in_flight = 0;
        conn->armed = 0;
    }
    conn->closable = !sock->in_flight;
    cancel(conn);
    if (conn->udp)
        engine->sim->options.hooks->udp->closing(conn);
    else if (!conn->listening && conn->event_fd < 0)
        engine->sim->options.hooks->closing(conn);
}

static void close_one(struct sim_conn *conn)
{
    struct sim_engine *engine = conn->engine;
    struct io_sock *sock = conn->sock;

    if (sock->in_flight || conn->done_count > 0)
        sim_fail(conn->sim, "the simulation closes a socket of which something is in flight");
    if (sock->send_data)
        engine_check_lent(conn);
    if (sock->events->closing)
        sock->events->closing(sock);
    if (conn->listening && conn->listener->sealed && conn->listener->descriptors == 1)
        engine->sim->options.hooks->unlistening(conn->listener, engine);
    if (conn->udp)
        engine->sim->options.hooks->udp->closed(conn);
    list_remove(&conn->care);
    engine->care_count--;
    conn->engine = NULL;
    conn->closable = false;
    sim_release(conn, sock->reset);
    sock->fd = -1;
    sock->events->closed(sock);
}

void engine_tell_closed(struct sim_engine *engine)
{
    uint32_t count = engine->care_count; /* connections that are added meanwhile are at the end of the list */

    for (struct list *link = engine->care.next, *next; count > 0; count--, link = next) {
        struct sim_conn *conn = container_of(link, struct sim_conn, care);

        next = link->next; /* closing a connection removes no other one from the list */
        if (conn->closable && !sim_chance(engine->sim, engine->sim->options.chances.late))
            close_one(conn);
    }
}
