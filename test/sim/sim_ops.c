/* test/sim/sim_ops.c: the simulated engine's operations: how they start, how the kernel carries them on, how their end is told. Test thread; owns nothing. */
#include <errno.h>
#include <stdlib.h>

#include "sim.h"
#include "sim_ops.h"

enum { CALLS_MAX = 200000 }; /* in a turn: more means that the caller runs in a circle */

struct sim_conn *sim_conn_of(struct sim *sim, const struct io_sock *sock)
{
    struct sim_conn *conn = sim_conn_find(sim, sock->fd);

    if (conn->sock != sock || sock->closing)
        sim_fail(sim, "a call on a socket that is closed");
    if (++sim->calls > CALLS_MAX)
        sim_fail(sim, "a turn without end");
    return conn;
}

static void start(struct io *io, struct io_sock *sock, int operation)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_of(sim, sock);

    if (sock->in_flight & 1u << operation)
        sim_fail(sim, "an operation is in flight already");
    sock->in_flight |= (uint8_t)(1u << operation);
    conn->armed |= (uint8_t)(1u << operation);
}

int sim_ops_open(struct io *io, struct io_sock *sock)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_find(sim, sock->fd);

    if (conn->sock)
        sim_fail(sim, "a descriptor was opened twice");
    if (!conn->listening && sim_chance(sim, sim->options.chances.no_handle)) {
        sim_release(conn, sock->reset);
        return sim_chance(sim, 500) ? -ENOMEM : -ENFILE;
    }
    conn->sock = sock;
    return 0;
}

void sim_ops_close(struct io *io, struct io_sock *sock)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_of(sim, sock);

    sock->closing = true;
    sim_note(sim, conn, "close", sock->reset);
    if (!sim->options.queued) {
        sock->in_flight = 0;
        conn->armed = 0;
    }
    if (!conn->listening)
        sim->options.hooks->closing(conn);
}

void sim_ops_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    struct sim *sim = sim_of(io);

    (void)options;
    start(io, sock, SIM_OP_CONNECT);
    sim_conn_of(sim, sock)->local = addr_family(addr) == AF_UNIX;
    sim->options.hooks->connecting(sim_conn_of(sim, sock), addr);
}

void sim_ops_receive(struct io *io, struct io_sock *sock)
{
    if (sock->credit == 0)
        sim_fail(sim_of(io), "a receive without credit");
    start(io, sock, SIM_OP_RECEIVE);
}

void sim_ops_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    start(io, sock, side == IO_IN ? SIM_OP_IN : SIM_OP_OUT);
}

int sim_ops_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_of(sim, sock);
    int64_t sent;

    if (bytes == 0 || sock->in_flight & 1u << SIM_OP_SEND)
        sim_fail(sim, "a send of nothing, or beside another");
    if (sim->options.gathers && bytes < BUFFER_BYTES) {
        sock->send_data = data;
        sock->send_bytes = bytes;
        conn->gathered = true;
        start(io, sock, SIM_OP_SEND);
        return IO_PENDING;
    }
    sent = sim_chance(sim, sim->options.chances.again) ? 0 : sim_send(conn, data, bytes);
    sim_note(sim, conn, "send", sent);
    if (sent == bytes) {
        conn->active_ns = io->now_ns;
        return IO_SENT;
    }
    if (sent < 0) {
        conn->active_ns = io->now_ns; /* that the peer reads no more is news as well */
        return (int)sent;
    }
    sock->send_data = data + sent;
    sock->send_bytes = bytes - (uint32_t)sent;
    start(io, sock, SIM_OP_SEND);
    return IO_PENDING;
}

void sim_ops_hurry(struct io *io)
{
    sim_of(io)->hurried = true;
}

int sim_ops_shutdown(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = sim_conn_of(sim_of(io), sock);

    if (sock->in_flight & 1u << SIM_OP_SEND)
        sim_fail(sim_of(io), "FIN in front of bytes that are being sent");
    sim_note(sim_of(io), conn, "shutdown", conn->over);
    conn->active_ns = io->now_ns;
    return sim_shutdown(conn);
}

uint32_t sim_ops_undelivered(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = sim_conn_of(sim_of(io), sock);

    return conn->over ? 0 : conn->out.length - conn->out.arrived;
}

int sim_ops_broken(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = sim_conn_of(sim_of(io), sock);
    int error = conn->error;

    conn->error = 0;
    sim_note(sim_of(io), conn, "broken", error);
    return error;
}

bool sim_ops_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer)
{
    struct sim *sim = sim_of(io);

    (void)peer;
    return sim_conn_of(sim, sock)->established && sim_chance(sim, sim->options.chances.met_itself);
}

/* Nobody stops this world. */
void sim_ops_look_again(struct io *io)
{
    (void)io;
}

void sim_ops_clear_event(struct io *io, struct io_sock *sock)
{
    (void)sock;
    sim_fail(sim_of(io), "there are no eventfds here");
}

/* ---- what the kernel does ---- */

bool sim_ops_possible(const struct sim_conn *conn, int operation)
{
    switch (operation) {
    case SIM_OP_CONNECT:
        return conn->answered;
    case SIM_OP_SEND:
        return sim_writable(conn);
    case SIM_OP_OUT:
        return sim_writable(conn) || conn->spurious & 1u << SIM_OP_OUT;
    case SIM_OP_RECEIVE:
        return sim_readable(conn);
    default:
        return sim_readable(conn) || conn->spurious & 1u << SIM_OP_IN;
    }
}

static bool attempt_receive(struct sim_conn *conn, struct sim_done *done)
{
    struct sim *sim = conn->sim;
    struct buffer *buffer = buffer_new(&sim->io.buffers);
    uint32_t most = sim_chance(sim, sim->options.chances.short_read) ? 1 + sim_below(sim, BUFFER_BYTES) : BUFFER_BYTES;
    int64_t got;

    if (!buffer)
        abort();
    got = sim_receive(conn, buffer->data, most);
    if (got <= 0) {
        buffer_free(&sim->io.buffers, buffer);
        *done = (struct sim_done){.operation = SIM_OP_RECEIVE, .last = true, .result = (int)got};
        return got != -EAGAIN;
    }
    buffer->end = (uint32_t)got;
    conn->sock->credit -= conn->sock->credit < got ? conn->sock->credit : (uint32_t)got;
    *done = (struct sim_done){.operation = SIM_OP_RECEIVE, .last = conn->sock->credit == 0, .result = (int)got, .buffer = buffer};
    return true;
}

void sim_ops_check_lent(const struct sim_conn *conn)
{
    if (slab_is_free(&conn->sim->io.buffers.slab, conn->sock->send_data))
        sim_fail(conn->sim, "a buffer was given back while it is being sent");
}

bool sim_ops_try_gathered(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    struct io_sock *sock = conn->sock;
    int64_t sent;

    sim_ops_check_lent(conn);
    conn->gathered = false;
    sent = sim_chance(sim, sim->options.chances.again) ? 0 : sim_send(conn, sock->send_data, sock->send_bytes);
    sim_note(sim, conn, "gathered send", sent);
    if (sent < 0) { /* told as the failure it is, by the next try */
        if (!conn->local)
            conn->error = (int)-sent;
        return false;
    }
    sock->send_data += sent;
    sock->send_bytes -= (uint32_t)sent;
    return sock->send_bytes == 0;
}

bool sim_ops_attempt(struct sim_conn *conn, int operation, struct sim_done *done)
{
    struct io_sock *sock = conn->sock;
    int64_t sent;

    if (!sim_ops_possible(conn, operation))
        return false;
    *done = (struct sim_done){.operation = (uint8_t)operation, .last = true};
    switch (operation) {
    case SIM_OP_CONNECT:
        done->result = conn->answer;
        return true;
    case SIM_OP_SEND:
        sim_ops_check_lent(conn);
        sent = sim_send(conn, sock->send_data, sock->send_bytes);
        if (sent >= 0) {
            sock->send_data += sent;
            sock->send_bytes -= (uint32_t)sent;
        }
        done->result = sent < 0 ? (int)-sent : 0;
        return sent < 0 || sock->send_bytes == 0;
    case SIM_OP_RECEIVE:
        return attempt_receive(conn, done);
    default:
        conn->spurious &= (uint8_t) ~(1u << operation);
        return true;
    }
}

/* ---- telling ---- */

static void tell_received(struct sim_conn *conn, const struct sim_done *done)
{
    struct sim *sim = conn->sim;
    struct io_sock *sock = conn->sock;

    sim_note(sim, conn, "received", done->result);
    if (done->buffer && !sock->events->received(sock, done->buffer))
        buffer_free(&sim->io.buffers, done->buffer);
    if (!done->last || sock->closing)
        return;
    if (done->result > 0)
        sock->events->rest(sock, IO_REST_CREDIT, 0);
    else
        sock->events->rest(sock, done->result == 0 ? IO_REST_EOF : IO_REST_ERROR, -done->result);
}

void sim_ops_tell(struct sim_conn *conn, const struct sim_done *done)
{
    struct io_sock *sock = conn->sock;

    if (done->last)
        sock->in_flight &= (uint8_t) ~(1u << done->operation);
    if (done->operation == SIM_OP_SEND)
        conn->quiet = false;
    if (sock->closing) {
        if (done->buffer)
            buffer_free(&conn->sim->io.buffers, done->buffer);
        return;
    }
    conn->sim->io.sent_ns = done->at_ns ? done->at_ns : conn->sim->io.now_ns;
    if (done->operation == SIM_OP_SEND && (done->result == 0 || done->result == EPIPE) && conn->sim->io.sent_ns > conn->active_ns)
        conn->active_ns = conn->sim->io.sent_ns;
    else if (done->buffer)
        conn->active_ns = conn->sim->io.now_ns;
    switch (done->operation) {
    case SIM_OP_CONNECT:
        sim_note(conn->sim, conn, "connected", done->result);
        sock->events->connected(sock, done->result);
        break;
    case SIM_OP_SEND:
        sock->send_data = NULL;
        sim_note(conn->sim, conn, "sent", done->result);
        sock->events->sent(sock, done->result);
        break;
    case SIM_OP_OUT:
        sock->events->writable(sock);
        break;
    case SIM_OP_RECEIVE:
        tell_received(conn, done);
        break;
    case SIM_OP_IN:
        sock->events->readable(sock);
        break;
    }
}
