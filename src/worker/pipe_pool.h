/* worker/pipe_pool.h: the pipes that a worker splices through. Its thread only.
 *
 * A direction holds a pipe only while bytes are in transit. A pipe with bytes in it never comes back here: they would reach another client. */
#ifndef WORKER_PIPE_POOL_H
#define WORKER_PIPE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

/* Most pipes are of one size; the first few are larger, and are used first. */
enum pipe_size { PIPE_LARGE, PIPE_USUAL, PIPE_SIZES };

struct pipe_shelf {
    struct io_pipe *idle;   /* `idle_count` of at most `max` */
    uint32_t idle_count;
    uint32_t open;          /* idle and lent */
    uint32_t max;
};

struct pipe_pool {
    struct io *io;
    struct pipe_shelf shelves[PIPE_SIZES];
    uint64_t retry_ns;      /* no new pipe before: the last one came out too small or not at all */
};

#define PIPE_NONE ((struct io_pipe){.fds = {-1, -1}})

/* At most `max` pipes. 0 or -ENOMEM. `io` must outlive the pool. */
int pipe_pool_init(struct pipe_pool *pool, struct io *io, uint32_t max);
/* Closes the idle ones: a worker without sessions keeps no descriptors for them. */
void pipe_pool_trim(struct pipe_pool *pool);

/* Every lent pipe must be back. Safe on all zero. */
void pipe_pool_deinit(struct pipe_pool *pool);

/* False: none to be had now; copy instead. */
bool pipe_pool_take(struct pipe_pool *pool, struct io_pipe *pipe);
/* Takes the pipe back (keeps it if it is empty, else closes it) and makes it "none". Nothing happens on "none". */
void pipe_pool_give(struct pipe_pool *pool, struct io_pipe *pipe);

#endif
