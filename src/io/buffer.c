/* io/buffer.c: a worker's pool of receive buffers, and queues of them. Worker thread; owns the free buffers. */
#include "io/buffer.h"

#include <errno.h>
#include <string.h>

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

bool buffer_queue_put(struct buffer_queue *queue, struct buffer *buffer)
{
    struct buffer *last = queue->last;

    if (last && BUFFER_BYTES - last->end >= buffer_length(buffer)) {
        memcpy(last->data + last->end, buffer->data + buffer->start, buffer_length(buffer));
        last->end += buffer_length(buffer);
        return false;
    }
    buffer->next = NULL;
    if (last)
        last->next = buffer;
    else
        queue->first = buffer;
    queue->last = buffer;
    return true;
}

int buffer_queue_copy(struct buffer_queue *queue, struct buffer_pool *pool, const uint8_t *data, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t piece = bytes < BUFFER_BYTES ? bytes : BUFFER_BYTES;
        struct buffer *buffer = buffer_new(pool);

        if (!buffer)
            return -ENOMEM;
        memcpy(buffer->data, data, piece);
        buffer->end = piece;
        if (!buffer_queue_put(queue, buffer))
            buffer_free(pool, buffer);
        data += piece;
        bytes -= piece;
    }
    return 0;
}

struct buffer *buffer_queue_take(struct buffer_queue *queue)
{
    struct buffer *buffer = queue->first;

    if (!buffer)
        return NULL;
    queue->first = buffer->next;
    if (!queue->first)
        queue->last = NULL;
    return buffer;
}

void buffer_queue_append(struct buffer_queue *to, struct buffer_queue *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    *from = (struct buffer_queue){0};
}

void buffer_queue_clear(struct buffer_queue *queue, struct buffer_pool *pool)
{
    for (struct buffer *buffer; (buffer = buffer_queue_take(queue));)
        buffer_free(pool, buffer);
}
