/* worker/pipe_pool.c: pipes for splicing. Worker thread; owns the idle pipes. */
#include "worker/pipe_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* With a pipe of 256 KiB, splicing costs half the CPU time per byte of a copy; with 1 MiB, two thirds of that; and less with a network card, whose segments
 * use up the slots of a pipe with 1.5 KB each (bench/README). But an unprivileged user may have only 64 MiB of pipes in all, so one fifth of them is large. */
enum { LARGE_BYTES = 1024 * 1024, USUAL_BYTES = 256 * 1024, PIPE_BYTES_MIN = 64 * 1024, LARGE_SHARE = 5 };
#define PIPE_RETRY_NS ((uint64_t)1000000000)

static const uint32_t sizes[PIPE_SIZES] = {[PIPE_LARGE] = LARGE_BYTES, [PIPE_USUAL] = USUAL_BYTES};

int pipe_pool_init(struct pipe_pool *pool, struct io *io, uint32_t max)
{
    *pool = (struct pipe_pool){.io = io};
    pool->shelves[PIPE_LARGE].max = max / LARGE_SHARE;
    pool->shelves[PIPE_USUAL].max = max - max / LARGE_SHARE;
    for (int size = 0; size < PIPE_SIZES; size++) {
        struct pipe_shelf *shelf = &pool->shelves[size];

        shelf->idle = calloc(shelf->max ? shelf->max : 1, sizeof(*shelf->idle));
        if (!shelf->idle) {
            pipe_pool_deinit(pool);
            return -ENOMEM;
        }
    }
    return 0;
}

void pipe_pool_trim(struct pipe_pool *pool)
{
    for (int size = 0; size < PIPE_SIZES; size++) {
        struct pipe_shelf *shelf = &pool->shelves[size];

        while (shelf->idle_count > 0) {
            io_pipe_close(pool->io, &shelf->idle[--shelf->idle_count]);
            shelf->open--;
        }
    }
}

void pipe_pool_deinit(struct pipe_pool *pool)
{
    pipe_pool_trim(pool);
    for (int size = 0; size < PIPE_SIZES; size++) {
        assert(pool->shelves[size].open == 0);
        free(pool->shelves[size].idle);
    }
    *pool = (struct pipe_pool){0};
}

static bool open_one(struct pipe_pool *pool, struct io_pipe *pipe, enum pipe_size size)
{
    if (io_pipe_open(pool->io, pipe, sizes[size]) < 0) {
        *pipe = PIPE_NONE;
        return false;
    }
    if (pipe->capacity >= PIPE_BYTES_MIN) /* otherwise the user's limit on pipe pages is reached, and a copy is cheaper than such a small pipe */
        return true;
    io_pipe_close(pool->io, pipe);
    return false;
}

bool pipe_pool_take(struct pipe_pool *pool, struct io_pipe *pipe)
{
    for (int size = 0; size < PIPE_SIZES; size++) {
        struct pipe_shelf *shelf = &pool->shelves[size];

        if (shelf->idle_count > 0) {
            *pipe = shelf->idle[--shelf->idle_count];
            return true;
        }
        if (shelf->open >= shelf->max || pool->io->now_ns < pool->retry_ns)
            continue;
        if (open_one(pool, pipe, (enum pipe_size)size)) {
            pipe->size = (uint8_t)size;
            shelf->open++;
            return true;
        }
        pool->retry_ns = pool->io->now_ns + PIPE_RETRY_NS;
    }
    return false;
}

void pipe_pool_give(struct pipe_pool *pool, struct io_pipe *pipe)
{
    struct pipe_shelf *shelf = &pool->shelves[pipe->size];

    if (pipe->fds[0] < 0)
        return;
    if (pipe->bytes > 0) {
        io_pipe_close(pool->io, pipe);
        shelf->open--;
        return;
    }
    assert(shelf->idle_count < shelf->max);
    shelf->idle[shelf->idle_count++] = *pipe;
    *pipe = PIPE_NONE;
}
