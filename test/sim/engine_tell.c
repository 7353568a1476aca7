/* test/sim/engine_tell.c: reports completions of the simulated engine: calls the events, and restarts receives. Test thread; owns nothing. */
#include <errno.h>

#include "engine.h"

/* ---- published receive buffers ---- */

/* Publishes a buffer in place of one that the kernel has used. `new`: the worker keeps the used one, so that a new one is needed, for which memory may be
 * lacking. */
static void publish(struct sim_engine *engine, bool new)
{
    if (engine->lacks_ring || (new && sim_chance(engine->sim, engine->sim->options.chances.no_buffer)))
        engine->missing++;
    else
        engine->published++;
}

void engine_feed_starving(struct sim_engine *engine)
{
    struct sim *sim = engine->sim;

    if (sim_chance(sim, sim->options.chances.no_ring)) {
        engine->lacks_ring = true;
        engine->missing += engine->published;
        engine->published = 0;
    }
    if (engine->lacks_ring && sim_chance(sim, 500))
        return;
    engine->lacks_ring = false;
    if (engine->starving == 0)
        return;
    for (uint32_t left = engine->missing; left > 0; left--) {
        engine->missing--;
        publish(engine, true);
    }
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        struct sim_conn *conn = container_of(link, struct sim_conn, care);

        if (!conn->starving)
            continue;
        conn->starving = false;
        engine->starving--;
        engine_start(conn, SIM_OP_RECEIVE);
    }
}

/* ---- receives ---- */

static void receive_ended(struct sim_conn *conn, int result)
{
    struct io_sock *sock = conn->sock;

    switch (result) {
    case -ENOBUFS:
        conn->starving = true;
        conn->engine->starving++;
        break;
    case -EAGAIN:
    case -ECANCELED:
        engine_start(conn, SIM_OP_RECEIVE);
        break;
    default:
        sock->events->rest(sock, result == 0 ? IO_REST_EOF : IO_REST_ERROR, -result);
    }
}

static void tell_received(struct sim_conn *conn, const struct sim_done *done)
{
    struct sim_engine *engine = conn->engine;
    struct io_sock *sock = conn->sock;
    bool kept = false;

    if (done->buffer && !sock->closing) {
        sim_note(conn->sim, conn, "received", done->result);
        conn->active_ns = engine->io.now_ns;
        sock->credit -= sock->credit < (uint32_t)done->result ? sock->credit : (uint32_t)done->result;
        kept = sock->events->received(sock, done->buffer);
    }
    if (done->buffer && !kept)
        buffer_free(&engine->io.buffers, done->buffer);
    if (done->buffer && conn->sim->options.queued)
        publish(engine, kept);
    if (!done->last || sock->closing)
        return;
    if (done->result <= 0)
        receive_ended(conn, done->result);
    else if (sock->credit == 0)
        sock->events->rest(sock, IO_REST_CREDIT, 0);
    else
        engine_start(conn, SIM_OP_RECEIVE);
}

/* ---- other operations ---- */

static void tell_other(struct sim_conn *conn, const struct sim_done *done)
{
    struct io_sock *sock = conn->sock;

    switch (done->operation) {
    case SIM_OP_CONNECT:
        sim_note(conn->sim, conn, "connected", done->result);
        sock->events->connected(sock, done->result);
        break;
    case SIM_OP_OUT:
        if (sock->send_data)
            engine_send_on(conn);
        else
            sock->events->writable(sock);
        break;
    case SIM_OP_IN:
        sock->events->readable(sock);
        break;
    default:
        sim_fail(conn->sim, "the simulation has made a mistake");
    }
}

void engine_tell(struct sim_conn *conn, const struct sim_done *done)
{
    struct io_sock *sock = conn->sock;
    bool was_closing = sock->closing;

    if (done->last)
        sock->in_flight &= (uint8_t) ~(1u << done->operation);
    if (done->operation == SIM_OP_RECEIVE)
        tell_received(conn, done);
    else if (done->operation == SIM_OP_SEND)
        engine_gathered_failed(conn, done->result);
    else if (!sock->closing)
        tell_other(conn, done);
    if (was_closing)
        engine_closing_progress(conn, done);
}
