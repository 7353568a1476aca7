/* base/slab.c: chunked pool of equal objects. The thread of whoever embeds it; owns the chunks. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/slab.h"

enum { CHUNK_OBJECTS = 64, LINE_BYTES = 64 };

void slab_init(struct slab *slab, size_t object_bytes, uint32_t max)
{
    assert(object_bytes >= sizeof(void *));
    *slab = (struct slab){
        .object_bytes = (object_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES,
        .max = max,
    };
}

void slab_deinit(struct slab *slab)
{
    assert(slab->used == 0);
    while (slab->chunks) {
        void *chunk = slab->chunks;

        memcpy(&slab->chunks, chunk, sizeof(void *));
        free(chunk);
    }
    slab->free = NULL;
    slab->total = 0;
}

static void push(struct slab *slab, void *object)
{
    memcpy(object, &slab->free, sizeof(void *));
    slab->free = object;
}

/* One more chunk: a line for the chain, then the objects. */
static void grow(struct slab *slab)
{
    uint32_t count = slab->max - slab->total < CHUNK_OBJECTS ? slab->max - slab->total : CHUNK_OBJECTS;
    unsigned char *chunk;

    if (count == 0)
        return;
    chunk = aligned_alloc(LINE_BYTES, LINE_BYTES + count * slab->object_bytes);
    if (!chunk)
        return;
    memcpy(chunk, &slab->chunks, sizeof(void *));
    slab->chunks = chunk;
    for (uint32_t i = count; i-- > 0;)
        push(slab, chunk + LINE_BYTES + i * slab->object_bytes);
    slab->total += count;
}

void *slab_take(struct slab *slab)
{
    void *object;

    if (!slab->free)
        grow(slab);
    object = slab->free;
    if (!object)
        return NULL;
    memcpy(&slab->free, object, sizeof(void *));
    slab->used++;
    return object;
}

void slab_give(struct slab *slab, void *object)
{
    assert(slab->used > 0);
    slab->used--;
    push(slab, object);
}
