/* io/buffer.h: the buffers for received bytes. Each worker has one pool, used only by its thread.
 *
 * A buffer has one of three owners: the pool (free), the engine (published to the kernel or being filled), or a direction (kept because its destination
 * accepts no more at present). The credit of each direction bounds its buffers, so memory is bounded by the number of sessions. */
#ifndef IO_BUFFER_H
#define IO_BUFFER_H

#include <stdint.h>

#include "base/slab.h"

/* Size of a buffer. Above about this size, splicing costs less than copying, so a message that needs a second buffer is a candidate for splicing. */
#define BUFFER_BYTES 16384

struct buffer {
    struct buffer *next;   /* for the owner's use */
    uint32_t start, end;   /* the bytes are data[start] to data[end - 1] */
    uint8_t data[BUFFER_BYTES];
};

struct buffer_pool {
    struct slab slab;
};

/* Allocates nothing. */
void buffer_pool_init(struct buffer_pool *pool);
/* All buffers must have been freed. */
void buffer_pool_deinit(struct buffer_pool *pool);

/* Returns an empty buffer, or NULL if out of memory. */
struct buffer *buffer_new(struct buffer_pool *pool);

/* Returns the buffer to the pool, which keeps the memory until it is trimmed. */
void buffer_free(struct buffer_pool *pool, struct buffer *buffer);

static inline uint32_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

#endif
