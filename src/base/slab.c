/* base/slab.c: pool of objects of equal size, allocated in chunks. Thread of the object that embeds it; owns the chunks.
 *
 * A chunk begins with its header. The chunk's alignment leads from an object to this header. New objects come from the chunk that was full most recently, so
 * that the other chunks can become empty and be freed. */
#include "base/slab.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

/* Under AddressSanitizer, access to a free object is an error. Its header belongs to the compiler's runtime library, which other builds do not need. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

enum { LINE_BYTES = 64, CHUNK_BYTES_MIN = 64 * 1024, CHUNK_OBJECTS_MIN = 15, TRIMMED_MAX = 16 };

struct chunk {
    struct list link;  /* in slab.partial, unless all objects are in use */
    void *free;        /* list of free objects, linked through their first word */
    uint32_t used;
    uint32_t touched;  /* number of objects ever used; the kernel has not allocated memory for the others yet */
    uint32_t count;    /* objects in the chunk */
};
_Static_assert(sizeof(struct chunk) <= LINE_BYTES, "a chunk's header is one cache line");

void slab_init(struct slab *slab, size_t object_bytes, uint32_t max)
{
    *slab = (struct slab){
        .object_bytes = (object_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES,
        .chunk_bytes = CHUNK_BYTES_MIN,
        .max = max,
    };
    while ((slab->chunk_bytes - LINE_BYTES) / slab->object_bytes < CHUNK_OBJECTS_MIN)
        slab->chunk_bytes *= 2;
    slab->chunk_objects = (uint32_t)((slab->chunk_bytes - LINE_BYTES) / slab->object_bytes);
    list_init(&slab->partial);
}

/* Maps twice the size and unmaps the parts before and after the aligned one. Returns NULL if out of memory. */
static void *map_aligned(size_t bytes)
{
    uint8_t *start = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (start == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)start & (bytes - 1);
    if (before > 0)
        (void)munmap(start, before);
    (void)munmap(start + before + bytes, bytes - before);
    return start + before;
}

static struct chunk *chunk_new(struct slab *slab)
{
    uint32_t left = slab->max - slab->total;
    struct chunk *chunk;

    if (left == 0)
        return NULL;
    chunk = map_aligned(slab->chunk_bytes);
    if (!chunk)
        return NULL;
    *chunk = (struct chunk){.count = left < slab->chunk_objects ? left : slab->chunk_objects};
    list_append(&slab->partial, &chunk->link);
    slab->total += chunk->count;
    slab->empty_chunks++;
    return chunk;
}

static void chunk_free(struct slab *slab, struct chunk *chunk)
{
    assert(chunk->used == 0);
    list_remove(&chunk->link);
    slab->total -= chunk->count;
    slab->empty_chunks--;
    ASAN_UNPOISON_MEMORY_REGION(chunk, slab->chunk_bytes);
    (void)munmap(chunk, slab->chunk_bytes);
}

void slab_deinit(struct slab *slab)
{
    assert(slab->used == 0);
    while (slab->empty_chunks > 0)
        chunk_free(slab, container_of(slab->partial.next, struct chunk, link));
}

static struct chunk *chunk_of(const struct slab *slab, const void *object)
{
    return (struct chunk *)((uintptr_t)object & ~(slab->chunk_bytes - 1));
}

static void *chunk_object(const struct slab *slab, struct chunk *chunk, uint32_t index)
{
    return (uint8_t *)chunk + LINE_BYTES + index * slab->object_bytes;
}

void *slab_take(struct slab *slab)
{
    struct chunk *chunk = list_empty(&slab->partial) ? chunk_new(slab) : container_of(slab->partial.next, struct chunk, link);
    void *object;

    if (!chunk)
        return NULL;
    object = chunk->free;
    if (object) {
        ASAN_UNPOISON_MEMORY_REGION(object, slab->object_bytes);
        memcpy(&chunk->free, object, sizeof(void *));
    } else {
        object = chunk_object(slab, chunk, chunk->touched++);
    }
    slab->empty_chunks -= chunk->used == 0;
    chunk->used++;
    slab->used++;
    if (chunk->used == chunk->count)
        list_remove(&chunk->link);
    return object;
}

void slab_give(struct slab *slab, void *object)
{
    struct chunk *chunk = chunk_of(slab, object);

    assert(chunk->used > 0);
    memcpy(object, &chunk->free, sizeof(void *));
    chunk->free = object;
    ASAN_POISON_MEMORY_REGION(object, slab->object_bytes);
    slab->used--;
    if (chunk->used-- == chunk->count)
        list_append(slab->partial.next, &chunk->link); /* that is, at the front of the list */
    if (chunk->used > 0)
        return;
    slab->empty_chunks++;
    list_remove(&chunk->link);
    list_append(&slab->partial, &chunk->link);
}

void slab_trim(struct slab *slab)
{
    uint32_t count = slab->empty_chunks / 2;

    for (uint32_t i = 0; i < count && i < TRIMMED_MAX; i++)
        chunk_free(slab, container_of(slab->partial.previous, struct chunk, link));
}

bool slab_is_free(const struct slab *slab, const void *address)
{
    const struct chunk *chunk = chunk_of(slab, address);

    for (const struct list *link = slab->partial.next; link != &slab->partial; link = link->next) {
        if (link != &chunk->link) /* `chunk` may not be one of our chunks: do not access it before it was found in the list */
            continue;
        for (uint8_t *object = chunk->free; object;) {
            if ((const uint8_t *)address >= object && (const uint8_t *)address < object + slab->object_bytes)
                return true;
            ASAN_UNPOISON_MEMORY_REGION(object, sizeof(void *));
            memcpy(&object, object, sizeof(void *));
        }
    }
    return false;
}
