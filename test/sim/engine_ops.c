/* test/sim/engine_ops.c: the simulated engine's operations: how they start, and how the kernel works on them. Test thread; owns nothing. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

enum { CALLS_MAX = 200000 }; /* maximum number of calls in a turn: more means an endless loop in the caller */

struct sim_conn *engine_conn(struct sim_engine *engine, const struct io_sock *sock)
{
    struct sim *sim = engine->sim;
    struct sim_conn *conn = sim_conn_find(sim, sock->fd);

    if (conn->sock != sock || sock->closing)
        sim_fail(sim, "a call on a socket that is closed");
    if (conn->engine != engine)
        sim_fail(sim, "a call on a socket of another worker");
    if (++engine->calls > CALLS_MAX)
        sim_fail(sim, "a turn without end");
    return conn;
}

void engine_start(struct sim_conn *conn, int operation)
{
    struct sim_engine *engine = conn->engine;
    uint8_t bit = (uint8_t)(1u << operation);

    if (conn->sock->in_flight & bit)
        sim_fail(conn->sim, "an operation is in flight already");
    conn->sock->in_flight |= bit;
    if (!conn->sim->options.queued) {
        conn->armed |= bit;
        return;
    }
    conn->requested |= bit;
    if (sim_chance(conn->sim, conn->sim->options.chances.full_queue))
        (void)engine_submit(engine);
}

int engine_open(struct io *io, struct io_sock *sock)
{
    struct sim_engine *engine = engine_of(io);
    struct sim *sim = engine->sim;
    struct sim_conn *conn = sock->fd < SIM_FD_BASE ? sim_eventfd(sim, sock->fd) : sim_conn_find(sim, sock->fd);

    if (conn->sock)
        sim_fail(sim, "a descriptor was opened twice");
    if (!conn->listening && conn->event_fd < 0 && !sim_udp_is_bound(conn) && sim_chance(sim, sim->options.chances.no_handle)) {
        sim_release(conn, sock->reset);
        if (conn->udp)
            sim->options.hooks->udp->opened(engine, conn, false);
        return sim_chance(sim, 500) ? -ENOMEM : -ENFILE;
    }
    conn->sock = sock;
    conn->engine = engine;
    conn->served_ns = sim->now_ns;
    sim_note(sim, conn, "opened", (int64_t)engine->index);
    list_append(&engine->care, &conn->care);
    engine->care_count++;
    sock->fd = sim_conn_fd(conn); /* for an eventfd, it was the real descriptor */
    if (conn->udp && conn->udp->is_connected)
        sim->options.hooks->udp->opened(engine, conn, true);
    return 0;
}

void engine_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    struct sim_engine *engine = engine_of(io);
    struct sim_conn *conn = engine_conn(engine, sock);

    (void)options;
    conn->local = addr_family(addr) == AF_UNIX;
    engine_start(conn, SIM_OP_CONNECT);
    engine->sim->options.hooks->connecting(conn, addr);
}

void engine_receive(struct io *io, struct io_sock *sock)
{
    struct sim_engine *engine = engine_of(io);

    if (sock->credit == 0)
        sim_fail(engine->sim, "a receive without credit");
    if (engine_conn(engine, sock)->starving)
        sim_fail(engine->sim, "a receive beside one that waits for a buffer");
    engine_start(engine_conn(engine, sock), SIM_OP_RECEIVE);
}

void engine_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);

    if (side == IO_OUT && sock->send_data)
        sim_fail(conn->sim, "a poll for room beside a send");
    engine_start(conn, side == IO_IN ? SIM_OP_IN : SIM_OP_OUT);
}

/* Restarts receives that ignore bytes that have arrived. */
void engine_look_again(struct io *io)
{
    struct sim_engine *engine = engine_of(io);

    if (!engine->sim->options.queued)
        return;
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        struct sim_conn *conn = container_of(link, struct sim_conn, care);

        conn->overlooked = false;
        if (conn->sock->closing || !(conn->armed & 1u << SIM_OP_RECEIVE) || conn->in.arrived == 0)
            continue;
        conn->armed &= (uint8_t) ~(1u << SIM_OP_RECEIVE);
        engine_done(conn, (struct sim_done){.operation = SIM_OP_RECEIVE, .last = true, .result = -ECANCELED});
    }
}

void engine_clear_event(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);
    uint64_t count;

    if (conn->event_fd < 0)
        sim_fail(conn->sim, "a socket is cleared as if it were an eventfd");
    if (read(conn->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        abort();
    conn->signalled = false;
}

/* ---- what the kernel does ---- */

bool engine_possible(const struct sim_conn *conn, int operation)
{
    switch (operation) {
    case SIM_OP_CONNECT:
        return conn->answered;
    case SIM_OP_OUT:
        return sim_writable(conn) || conn->spurious & 1u << SIM_OP_OUT;
    case SIM_OP_RECEIVE:
        return (sim_readable(conn) && !conn->overlooked) || (conn->untried && conn->engine->published == 0);
    case SIM_OP_IN:
        return sim_readable(conn) || conn->spurious & 1u << SIM_OP_IN;
    default:
        return false;
    }
}

/* Receives into a new buffer. Returns the result of sim_receive(), or -ENOMEM. */
static int64_t receive_into(struct sim_conn *conn, struct buffer **buffer)
{
    struct sim *sim = conn->sim;
    uint32_t most = sim_chance(sim, sim->options.chances.short_read) ? 1 + sim_below(sim, BUFFER_BYTES) : BUFFER_BYTES;
    int64_t got;

    if (!sim->options.queued && sim_chance(sim, sim->options.chances.no_buffer))
        return -ENOMEM;
    *buffer = buffer_new(&conn->engine->io.buffers);
    if (!*buffer)
        abort();
    got = sim_receive(conn, (*buffer)->data, most);
    if (got > 0) {
        (*buffer)->end = (uint32_t)got;
        return got;
    }
    buffer_free(&conn->engine->io.buffers, *buffer);
    *buffer = NULL;
    return got;
}

static bool receive_called(struct sim_conn *conn, struct sim_done *done)
{
    int64_t got = receive_into(conn, &done->buffer);

    done->result = (int)got;
    if (got > 0)
        done->last = conn->sock->credit <= got;
    return got != -EAGAIN && got != -ENOMEM;
}

static bool receive_queued(struct sim_conn *conn, struct sim_done *done)
{
    struct sim *sim = conn->sim;
    int64_t got;

    if (conn->engine->published == 0) {
        done->result = -ENOBUFS;
        return true;
    }
    conn->untried = false;
    if (sim_chance(sim, sim->options.chances.again / 4)) {
        done->result = -EAGAIN;
        return true;
    }
    got = receive_into(conn, &done->buffer);
    done->result = (int)got;
    if (got > 0) {
        conn->engine->published--;
        conn->receive_left -= conn->receive_left < got ? conn->receive_left : (uint32_t)got;
        done->last = !sim->options.multishot || conn->receive_left == 0 || sim_chance(sim, sim->options.chances.ended_early);
    }
    return got != -EAGAIN;
}

bool engine_attempt(struct sim_conn *conn, int operation, struct sim_done *done)
{
    if (!engine_possible(conn, operation))
        return false;
    *done = (struct sim_done){.operation = (uint8_t)operation, .last = true};
    switch (operation) {
    case SIM_OP_CONNECT:
        done->result = conn->answer;
        return true;
    case SIM_OP_RECEIVE:
        return conn->sim->options.queued ? receive_queued(conn, done) : receive_called(conn, done);
    default:
        conn->spurious &= (uint8_t) ~(1u << operation);
        return true;
    }
}
