/* io/buffer.c: a worker's pool of receive buffers. Worker thread; owns the free ones. */
#include <assert.h>
#include <stdlib.h>

#include "io/buffer.h"

struct buffer *buffer_new(struct buffer_pool *pool)
{
    struct buffer *buffer = pool->free;

    if (buffer) {
        pool->free = buffer->next;
        pool->free_count--;
    } else {
        buffer = malloc(sizeof(*buffer));
        if (!buffer)
            return NULL;
        pool->total++;
    }
    buffer->next = NULL;
    buffer->start = 0;
    buffer->end = 0;
    return buffer;
}

void buffer_free(struct buffer_pool *pool, struct buffer *buffer)
{
    if (pool->free_count >= BUFFER_POOL_KEEP) {
        assert(pool->total > 0);
        pool->total--;
        free(buffer);
        return;
    }
    buffer->next = pool->free;
    pool->free = buffer;
    pool->free_count++;
}

void buffer_pool_deinit(struct buffer_pool *pool)
{
    while (pool->free) {
        struct buffer *buffer = pool->free;

        pool->free = buffer->next;
        free(buffer);
        pool->total--;
    }
    pool->free_count = 0;
}
