/* test/sim/sim_pipe.c: sockets that were never under the engine's care, and pipes, of the simulated engine. Test thread; the engine owns the pipes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "sim_ops.h"

enum { PIPE_FD_BASE = 1 << 21, DENIALS_MAX = 500 };

static int lack(struct sim *sim)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};

    return -errors[sim_below(sim, 4)];
}

int sim_ops_socket(struct io *io, int family)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn;

    (void)family;
    if (sim_chance(sim, sim->options.chances.no_descriptor))
        return lack(sim);
    if (sim_chance(sim, sim->options.chances.no_family))
        return -EAFNOSUPPORT;
    conn = sim_conn_new(sim);
    sim->conns_open++;
    return sim_conn_fd(conn);
}

int sim_ops_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *listening = sim_conn_find(sim, listener->fd), *conn; /* also for the last time, when it is closing */

    if (!listening->listening)
        sim_fail(sim, "accept on what is no listener");
    if (sim->now_ns < sim->options.forbidden_until_ns) {
        if (++sim->denials > DENIALS_MAX)
            sim_fail(sim, "accept is called over and over although it is denied");
        return -EPERM;
    }
    if (sim_chance(sim, sim->options.chances.shut)) { /* and so is what was in its queue */
        sim_reset_queue(listening);
        return -EINVAL;
    }
    if (list_empty(&listening->queue))
        return -EAGAIN;
    if (sim_chance(sim, sim->options.chances.no_descriptor))
        return lack(sim);
    if (sim_chance(sim, sim->options.chances.aborted))
        return -ECONNABORTED;
    conn = container_of(listening->queue.next, struct sim_conn, link);
    list_remove(&conn->link);
    conn->accepted = true;
    sim->conns_open++;
    *peer = conn->client;
    sim_note(sim, conn, "accepted", 0);
    return sim_conn_fd(conn);
}

int sim_ops_listen_again(struct io *io, struct io_sock *listener, int backlog)
{
    (void)backlog;
    return sim_conn_of(sim_of(io), listener)->listening && !sim_chance(sim_of(io), 500) ? 0 : -EADDRINUSE;
}

bool sim_ops_is_shut(struct io *io, struct io_sock *listener)
{
    (void)sim_conn_of(sim_of(io), listener);
    return false; /* all listeners here are of TCP */
}

bool sim_ops_stop_queueing(struct io *io, struct io_sock *listener)
{
    struct sim_conn *listening = sim_conn_of(sim_of(io), listener);

    listening->sealed = !sim_chance(sim_of(io), 200);
    return listening->sealed;
}

void sim_ops_discard(struct io *io, int fd)
{
    struct sim *sim = sim_of(io);

    sim_release(sim_conn_find(sim, fd), true);
}

void sim_ops_set_congestion(struct io *io, int fd, const char *name)
{
    struct sim *sim = sim_of(io);

    (void)name;
    if (!sim_conn_find(sim, fd))
        sim_fail(sim, "a congestion control for a connection that is none");
}

void sim_ops_keep_alive(struct io *io, struct io_sock *sock, uint32_t idle_ms)
{
    if (idle_ms == 0)
        sim_fail(sim_of(io), "keepalive that is off is set");
    if (!sim_conn_find(sim_of(io), sock->fd) || sock->closing)
        sim_fail(sim_of(io), "keepalive for a socket that is closed");
}

static struct sim_pipe *pipe_of(struct sim *sim, const struct io_pipe *pipe)
{
    struct sim_pipe *found;

    if (pipe->fds[0] < PIPE_FD_BASE || (uint32_t)(pipe->fds[0] - PIPE_FD_BASE) / 2 >= sim->pipe_count)
        sim_fail(sim, "a call with a pipe that is none");
    found = &sim->pipes[(pipe->fds[0] - PIPE_FD_BASE) / 2];
    if (!found->open || pipe->bytes != found->length)
        sim_fail(sim, "a pipe does not hold what its owner thinks");
    return found;
}

int sim_ops_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    struct sim *sim = sim_of(io);
    uint32_t capacity = bytes, i = 0;

    if (sim_chance(sim, sim->options.chances.no_pipe))
        return lack(sim);
    if (sim_chance(sim, sim->options.chances.small_pipe))
        capacity = 4096u << sim_below(sim, 7);
    while (i < sim->pipe_count && sim->pipes[i].open)
        i++;
    if (i == sim->pipe_count) {
        sim->pipes = realloc(sim->pipes, (i + 1) * sizeof(*sim->pipes));
        if (!sim->pipes)
            abort();
        sim->pipe_count++;
    }
    sim->pipes[i] = (struct sim_pipe){.data = malloc(capacity), .capacity = capacity, .open = true};
    if (!sim->pipes[i].data)
        abort();
    sim->pipes_open++;
    *pipe = (struct io_pipe){.fds = {PIPE_FD_BASE + (int)i * 2, PIPE_FD_BASE + (int)i * 2 + 1}, .capacity = capacity};
    return 0;
}

void sim_ops_pipe_close(struct io *io, struct io_pipe *pipe)
{
    struct sim *sim = sim_of(io);
    struct sim_pipe *found;

    if (pipe->fds[0] < 0)
        return;
    found = pipe_of(sim, pipe);
    free(found->data);
    *found = (struct sim_pipe){0};
    sim->pipes_open--;
    *pipe = (struct io_pipe){.fds = {-1, -1}};
}

ssize_t sim_ops_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_of(sim, sock);
    struct sim_pipe *into = pipe_of(sim, pipe);
    int64_t got;

    if (conn->unspliceable)
        return -EINVAL;
    if (into->length == into->capacity || sim_chance(sim, sim->options.chances.again))
        return -EAGAIN;
    if (into->start + into->length == into->capacity) {
        memmove(into->data, into->data + into->start, into->length);
        into->start = 0;
    }
    if (bytes > into->capacity - into->start - into->length)
        bytes = into->capacity - into->start - into->length;
    if (bytes > 1 && sim_chance(sim, sim->options.chances.short_read))
        bytes = 1 + sim_below(sim, bytes);
    got = sim_splice(conn, into->data + into->start + into->length, bytes);
    if (got == 0 && sock->send_data && conn->over) /* a send that is not told yet took the error */
        got = -ECONNRESET;
    sim_note(sim, conn, "splice in", got);
    if (got > 0) {
        conn->active_ns = io->now_ns;
        into->length += (uint32_t)got;
        pipe->bytes += (uint32_t)got;
    }
    return (ssize_t)got;
}

ssize_t sim_ops_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    struct sim *sim = sim_of(io);
    struct sim_conn *conn = sim_conn_of(sim, sock);
    struct sim_pipe *from = pipe_of(sim, pipe);
    int64_t sent;

    if (from->length == 0)
        sim_fail(sim, "splice out of an empty pipe");
    if (sim_chance(sim, sim->options.chances.again))
        return -EAGAIN;
    sent = sim_send(conn, from->data + from->start, from->length);
    sim_note(sim, conn, "splice out", sent);
    if (sent != 0)
        conn->active_ns = io->now_ns;
    if (sent > 0) {
        from->start += (uint32_t)sent;
        from->length -= (uint32_t)sent;
        pipe->bytes -= (uint32_t)sent;
        if (from->length == 0)
            from->start = 0;
    }
    return sent == 0 ? -EAGAIN : (ssize_t)sent;
}
