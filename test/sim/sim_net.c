/* test/sim/sim_net.c: the simulated network: delivers bytes, FIN, resets, and the results of attempts to connect. Test thread; owns nothing. */
#include <errno.h>

#include "sim.h"

/* ---- bytes arrive ---- */

static uint64_t latency_ns(struct sim_conn *conn)
{
    return (uint64_t)sim_below(conn->sim, conn->latency_us + 1) * 1000;
}

void sim_net_move(struct sim_conn *conn, struct sim_stream *stream)
{
    bool bytes = stream->length > stream->arrived && stream->arrived < stream->receive_max;
    bool end = stream->length == stream->arrived && stream->fin && !stream->fin_arrived;

    if ((bytes || end) && !stream->moving.armed)
        sim_arm(conn->sim, &stream->moving, latency_ns(conn));
}

static void arrive(struct sim_conn *conn, struct sim_stream *stream)
{
    uint32_t room = stream->receive_max > stream->arrived ? stream->receive_max - stream->arrived : 0;
    uint32_t bytes = stream->length - stream->arrived;

    if (bytes > room)
        bytes = room;
    if (bytes > 1 && sim_chance(conn->sim, 500))
        bytes = 1 + sim_below(conn->sim, bytes);
    stream->arrived += bytes;
    stream->total += bytes;
    if (stream->length == stream->arrived && stream->fin)
        stream->fin_arrived = true;
    sim_net_move(conn, stream);
}

/* Sends RST to the peer. Bytes in transit to it are lost. */
void sim_net_reset_peer(struct sim_conn *conn)
{
    conn->over = true;
    sim_stream_cut(&conn->out);
    if (!conn->resetting_peer.armed)
        sim_arm(conn->sim, &conn->resetting_peer, latency_ns(conn));
}

void sim_net_reset_us(struct sim_conn *conn)
{
    conn->peer_closed = true;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
    if (!conn->resetting_us.armed)
        sim_arm(conn->sim, &conn->resetting_us, latency_ns(conn));
}

static void on_moving_in(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, in.moving);

    if (conn->over) {
        sim_stream_cut(&conn->in);
    } else if (conn->released && conn->in.length > conn->in.arrived) { /* our descriptor is closed, so nobody will read the bytes */
        sim_stream_cut(&conn->in);
        sim_net_reset_peer(conn);
    } else {
        conn->overlooked = false;
        arrive(conn, &conn->in);
        conn->sim->options.hooks->changed(conn);
    }
}

static void on_moving_out(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, out.moving);

    if (conn->peer_reset) {
        sim_stream_cut(&conn->out);
    } else if (conn->peer_closed && conn->out.length > conn->out.arrived) {
        sim_net_reset_us(conn);
    } else {
        arrive(conn, &conn->out);
        conn->sim->options.hooks->changed(conn);
    }
}

static void lose(struct sim_conn *conn, int error)
{
    if (conn->over)
        return;
    sim_note(conn->sim, conn, "our end fails", error);
    conn->overlooked = false;
    conn->failed = true;
    conn->failed_ns = conn->sim->now_ns;
    conn->over = true;
    conn->error = error;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
}

static void on_resetting_us(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, resetting_us);

    lose(conn, conn->in.fin_arrived && !conn->local ? EPIPE : ECONNRESET);
}

static void on_resetting_peer(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, resetting_peer);

    conn->peer_reset = true;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
    sim_note(conn->sim, conn, "peer is reset", 0);
    conn->sim->options.hooks->changed(conn);
}

static void on_answering(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, answering);

    if (conn->released) /* the attempt was given up before */
        return;
    conn->answered = true;
    conn->established = conn->answer == 0;
    conn->over = !conn->established;
    sim_note(conn->sim, conn, "attempt answered", conn->answer);
    if (conn->established)
        conn->sim->options.hooks->changed(conn);
}

void sim_net_init(struct sim_conn *conn)
{
    conn->in.moving.run = on_moving_in;
    conn->out.moving.run = on_moving_out;
    conn->answering.run = on_answering;
    conn->resetting_us.run = on_resetting_us;
    conn->resetting_peer.run = on_resetting_peer;
}

/* ---- for the test ---- */

void sim_answer(struct sim_conn *conn, int error, uint64_t after_ns)
{
    conn->answer = error;
    sim_arm(conn->sim, &conn->answering, after_ns);
}

void sim_break(struct sim_conn *conn, int error)
{
    if (conn->over || !conn->established)
        return;
    lose(conn, error);
    conn->peer_closed = true;
    sim_arm(conn->sim, &conn->resetting_peer, 1000000);
}
