/* test/sim/engine_pipe.c: the simulated engine's pipes. Test thread; the kernel owns them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { PIPE_FD_BASE = 1 << 21 };

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

int engine_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    struct sim *sim = engine_of(io)->sim;
    uint32_t capacity = bytes, i = 0;

    if (sim_chance(sim, sim->options.chances.no_pipe))
        return -EMFILE;
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

void engine_pipe_close(struct io *io, struct io_pipe *pipe)
{
    struct sim *sim = engine_of(io)->sim;
    struct sim_pipe *found;

    if (pipe->fds[0] < 0)
        return;
    found = pipe_of(sim, pipe);
    free(found->data);
    *found = (struct sim_pipe){0};
    sim->pipes_open--;
    *pipe = (struct io_pipe){.fds = {-1, -1}};
}

ssize_t engine_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    struct sim *sim = engine_of(io)->sim;
    struct sim_conn *conn = engine_conn(engine_of(io), sock);
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
    if (got == 0 && engine_is_gathered(conn) && conn->over) /* the gathered send got the error, which is not reported yet */
        got = -ECONNRESET;
    sim_note(sim, conn, "splice in", got);
    if (got > 0) {
        conn->active_ns = io->now_ns;
        into->length += (uint32_t)got;
        pipe->bytes += (uint32_t)got;
    }
    return (ssize_t)got;
}

ssize_t engine_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    struct sim *sim = engine_of(io)->sim;
    struct sim_conn *conn = engine_conn(engine_of(io), sock);
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
