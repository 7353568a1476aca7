/* io/buffer.h: the buffers that received bytes arrive in. One pool per worker, used by its thread alone.
 *
 * A buffer is in one of three hands: the pool's (free), the engine's (published to the kernel or being filled), or a direction's (kept because its
 * destination takes no more now). Directions are held to their credit, so that memory is bounded by the number of sessions. */
#ifndef IO_BUFFER_H
#define IO_BUFFER_H

#include <stdint.h>

#include "base/slab.h"

/* Bytes a buffer holds: about where splice begins to win over copy, so that what takes more than one is on its way to being spliced. */
#define BUFFER_BYTES 16384

struct buffer {
    struct buffer *next;   /* for whoever holds it */
    uint32_t start, end;   /* the bytes are data[start] up to, not including, data[end] */
    uint8_t data[BUFFER_BYTES];
};

struct buffer_pool {
    struct slab slab;
};

/* Allocates nothing yet. */
void buffer_pool_init(struct buffer_pool *pool);
/* Every buffer must have been given back. */
void buffer_pool_deinit(struct buffer_pool *pool);

/* An empty buffer, or NULL: out of memory. */
struct buffer *buffer_new(struct buffer_pool *pool);

/* Back to the pool, which keeps it until it is trimmed. */
void buffer_free(struct buffer_pool *pool, struct buffer *buffer);

static inline uint32_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

#endif
