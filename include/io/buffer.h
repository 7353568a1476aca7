/* io/buffer.h: the buffers for received bytes. Each worker has one pool, used only by its thread.
 *
 * A buffer has one of three owners: the pool (free), the engine (published to the kernel or being filled), or a direction (kept because its destination
 * accepts no more at present). The credit of each direction bounds its buffers, so memory is bounded by the number of sessions. */
#ifndef IO_BUFFER_H
#define IO_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slab.h"

/* Size of a buffer. Above about this size, splicing costs less than copying, so a message that needs a second buffer is a candidate for splicing. */
#define BUFFER_BYTES 16384

struct buffer {
    struct buffer *next;   /* for the owner's use */
    uint32_t start, end;   /* the bytes are data[start] to data[end - 1] */
    uint8_t data[BUFFER_BYTES];
};

/* A queue of buffers, in the order of their bytes. The owner of the queue owns the buffers. All zero is empty. */
struct buffer_queue {
    struct buffer *first, *last;
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

/* Appends the bytes of a buffer. Returns true if the queue now owns the buffer. Returns false if the bytes were copied into the free space of the last buffer,
 * so that many small pieces need no more memory than a few large ones; the caller then still owns the buffer. */
bool buffer_queue_put(struct buffer_queue *queue, struct buffer *buffer);
/* Appends a copy of these bytes, with buffers of the pool. Returns 0, or -ENOMEM, and then the queue has only some of them. */
int buffer_queue_copy(struct buffer_queue *queue, struct buffer_pool *pool, const uint8_t *data, uint32_t bytes);
/* Removes the first buffer and returns it; the caller then owns it. Returns NULL if the queue is empty. */
struct buffer *buffer_queue_take(struct buffer_queue *queue);
/* Appends all buffers of `from` to `to`. `from` is empty after that. */
void buffer_queue_append(struct buffer_queue *to, struct buffer_queue *from);
/* Frees all buffers of the queue. */
void buffer_queue_clear(struct buffer_queue *queue, struct buffer_pool *pool);

#endif
