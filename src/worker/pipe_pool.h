/* worker/pipe_pool.h: the pipes through which a worker splices. The worker's thread.
 *
 * A direction holds a pipe only while bytes are in transit. A pipe with bytes in it never returns to the pool, because another client would receive them. */
#ifndef WORKER_PIPE_POOL_H
#define WORKER_PIPE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

/* Most pipes have one size. The first few are larger, and are used first. */
enum pipe_size { PIPE_LARGE, PIPE_USUAL, PIPE_SIZES };

struct pipe_shelf {
    struct io_pipe *idle;   /* `idle_count` of at most `max` */
    uint32_t idle_count;
    uint32_t open;          /* idle or in use */
    uint32_t max;
};

struct pipe_pool {
    struct io *io;
    struct pipe_shelf shelves[PIPE_SIZES];
    uint64_t retry_ns;      /* no new pipe is made before this time, because the last attempt failed or made one that is too small */
};

#define PIPE_NONE ((struct io_pipe){.fds = {-1, -1}})

/* Makes a pool of at most `max` pipes. Returns 0 or -ENOMEM. `io` must outlive the pool. */
int pipe_pool_init(struct pipe_pool *pool, struct io *io, uint32_t max);
/* Closes the idle pipes, so that a worker without sessions keeps no descriptors for them. */
void pipe_pool_trim(struct pipe_pool *pool);

/* Closes all pipes. Every pipe must have been given back. Safe on all zero. */
void pipe_pool_deinit(struct pipe_pool *pool);

/* Takes a pipe. Returns false if none is available now: copy instead. */
bool pipe_pool_take(struct pipe_pool *pool, struct io_pipe *pipe);
/* Gives a pipe back and sets it to "none". The pool keeps it if it is empty, and otherwise closes it. Does nothing on "none". */
void pipe_pool_give(struct pipe_pool *pool, struct io_pipe *pipe);

#endif
