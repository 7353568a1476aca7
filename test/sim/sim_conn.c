/* test/sim/sim_conn.c: the system calls on the two ends of a simulated connection: ours and the peer's. Test thread; owns nothing. */
#include <errno.h>
#include <unistd.h>

#include "sim_udp.h"

/* ---- our end ---- */

bool sim_readable(const struct sim_conn *conn)
{
    if (conn->event_fd >= 0)
        return conn->signalled;
    if (conn->udp)
        return !list_empty(&conn->udp->queue) || conn->udp->error;
    if (conn->listening)
        return !list_empty(&conn->listener->queue) || (conn->local && conn->listener->sealed);
    return conn->in.arrived > 0 || conn->in.fin_arrived || conn->over;
}

bool sim_writable(const struct sim_conn *conn)
{
    return conn->over || conn->unwanted || sim_stream_room(&conn->out) > conn->out.send_max / 3; /* sk_stream_is_writeable() */
}

static int take_error(struct sim_conn *conn)
{
    int error = conn->error;

    conn->error = 0;
    return error;
}

/* Whether the next byte is the urgent byte. */
static bool at_mark(const struct sim_stream *stream)
{
    return stream->mark && stream->total - stream->arrived + 1 == stream->mark;
}

void sim_stop_process(struct sim *sim)
{
    for (uint32_t i = 0; sim->options.queued && i < sim->conn_count; i++)
        sim->conns[i]->overlooked = sim->conns[i]->sock && sim->conns[i]->in.arrived > 0 && at_mark(&sim->conns[i]->in);
}

static uint32_t take_to_mark(struct sim_stream *stream, uint8_t *data, uint32_t bytes)
{
    uint64_t to_mark = stream->mark - 1 - (stream->total - stream->arrived);

    if (!stream->mark)
        return sim_stream_take(stream, data, bytes);
    if (at_mark(stream))
        stream->mark = 0;
    else if (bytes > to_mark)
        bytes = (uint32_t)to_mark;
    return sim_stream_take(stream, data, bytes);
}

int64_t sim_receive(struct sim_conn *conn, uint8_t *data, uint32_t bytes)
{
    if (conn->in.arrived > 0) {
        uint32_t got = take_to_mark(&conn->in, data, bytes);

        sim_net_move(conn, &conn->in);
        return got;
    }
    if (conn->in.fin_arrived)
        return 0;
    if (conn->error)
        return -take_error(conn);
    return conn->over ? 0 : -EAGAIN;
}

/* At the urgent mark, tcp_splice_read() in the kernel returns the same as if no bytes had arrived. */
int64_t sim_splice(struct sim_conn *conn, uint8_t *data, uint32_t bytes)
{
    if (conn->in.arrived == 0 || !at_mark(&conn->in))
        return sim_receive(conn, data, bytes);
    if (conn->in.fin_arrived)
        return 0;
    if (conn->error)
        return -take_error(conn);
    return conn->over ? 0 : -EAGAIN;
}

int64_t sim_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes)
{
    uint32_t room = sim_stream_room(&conn->out);

    if (conn->error && !conn->local) /* unix_stream_sendmsg() does not return the pending error */
        return -take_error(conn);
    if (conn->over || conn->unwanted || conn->out.fin)
        return -EPIPE;
    if (bytes > room)
        bytes = room;
    if (bytes > 1 && sim_chance(conn->sim, conn->sim->options.chances.short_write))
        bytes = 1 + sim_below(conn->sim, bytes);
    if (bytes == 0)
        return 0;
    sim_stream_push(&conn->out, data, bytes);
    sim_net_move(conn, &conn->out);
    return bytes;
}

int sim_shutdown(struct sim_conn *conn)
{
    if (conn->over)
        return -ENOTCONN;
    if (conn->out.fin)
        sim_fail(conn->sim, "FIN was sent twice");
    conn->out.fin = true;
    sim_net_move(conn, &conn->out);
    return 0;
}

void sim_reset_queue(struct sim_conn *listener)
{
    while (!list_empty(&listener->queue)) {
        struct sim_conn *waiting = container_of(listener->queue.next, struct sim_conn, link);

        list_remove(&waiting->link);
        sim_net_reset_peer(waiting);
    }
}

void sim_release(struct sim_conn *conn, bool reset)
{
    struct sim *sim = conn->sim;

    conn->released = true;
    conn->sock = NULL;
    sim->conns_open--;
    if (conn->event_fd >= 0)
        (void)close(conn->event_fd);
    if (conn->udp)
        sim_udp_close(conn->udp);
    if (conn->listening && --conn->listener->descriptors == 0)
        sim_reset_queue(conn->listener);
    if (conn->listening || conn->over || !conn->established)
        return;
    if (reset || conn->in.arrived > 0) {
        sim_net_reset_peer(conn);
        return;
    }
    conn->out.fin = true;
    sim_net_move(conn, &conn->out);
    if (conn->in.length > 0 && !conn->in.moving.armed)
        sim_arm(sim, &conn->in.moving, 0);
}

/* ---- the peer ---- */

int64_t sim_peer_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes)
{
    uint32_t room = sim_stream_room(&conn->in);

    if (conn->peer_reset)
        return -ECONNRESET;
    if (bytes > room)
        bytes = room;
    if (bytes == 0)
        return 0;
    sim_stream_push(&conn->in, data, bytes);
    sim_net_move(conn, &conn->in);
    return bytes;
}

void sim_peer_mark(struct sim_conn *conn)
{
    conn->in.mark = conn->in.total - conn->in.arrived + conn->in.length;
}

int64_t sim_peer_read(struct sim_conn *conn, uint8_t *data, uint32_t bytes)
{
    uint32_t got = sim_stream_take(&conn->out, data, bytes);

    if (got > 0) {
        sim_net_move(conn, &conn->out);
        return got;
    }
    if (conn->out.fin_arrived)
        return 0;
    return conn->peer_reset ? -ECONNRESET : -EAGAIN;
}

void sim_peer_shutdown(struct sim_conn *conn)
{
    conn->in.fin = true;
    sim_net_move(conn, &conn->in);
}

void sim_peer_stop_reading(struct sim_conn *conn)
{
    if (!conn->local)
        sim_fail(conn->sim, "TCP does not tell that the peer has stopped reading");
    conn->unwanted = true;
    conn->out.arrived = 0; /* unread bytes are lost */
    conn->out.length = 0;
}

void sim_peer_close(struct sim_conn *conn)
{
    if (conn->peer_closed)
        return;
    conn->peer_closed = true;
    if (conn->peer_reset)
        return;
    if (conn->out.arrived > 0) {
        sim_net_reset_us(conn);
        return;
    }
    if (!conn->in.fin)
        sim_peer_shutdown(conn);
    if (conn->out.length > 0 && !conn->out.moving.armed)
        sim_arm(conn->sim, &conn->out.moving, 0);
}

void sim_peer_reset(struct sim_conn *conn)
{
    if (conn->peer_closed)
        return;
    conn->peer_closed = true;
    if (!conn->peer_reset)
        sim_net_reset_us(conn);
}
