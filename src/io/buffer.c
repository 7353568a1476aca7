/* io/buffer.c: a worker's pool of receive buffers. Worker thread; owns the free buffers. */
#include "io/buffer.h"

void buffer_pool_init(struct buffer_pool *pool)
{
    slab_init(&pool->slab, sizeof(struct buffer), UINT32_MAX);
}

void buffer_pool_deinit(struct buffer_pool *pool)
{
    slab_deinit(&pool->slab);
}

struct buffer *buffer_new(struct buffer_pool *pool)
{
    struct buffer *buffer = slab_take(&pool->slab);

    if (!buffer)
        return NULL;
    buffer->next = NULL;
    buffer->start = 0;
    buffer->end = 0;
    return buffer;
}

void buffer_free(struct buffer_pool *pool, struct buffer *buffer)
{
    slab_give(&pool->slab, buffer);
}
