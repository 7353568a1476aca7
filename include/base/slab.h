/* base/slab.h: a pool of objects of one size, which never move. One thread.
 *
 * The pool grows by chunks up to a limit, so that the hot path does not call the allocator. Chunks are mapped from the system. slab_trim() returns empty chunks
 * to it, so that the memory of a peak load is not kept for ever. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct slab {
    size_t object_bytes;
    size_t chunk_bytes;     /* a power of two; chunks are aligned to it */
    uint32_t chunk_objects; /* maximum in one chunk */
    uint32_t max;           /* maximum number of objects */
    uint32_t total;         /* objects in all chunks, free or in use */
    uint32_t used;          /* objects in use */
    uint32_t empty_chunks;  /* chunks without an object in use */
    struct list partial;    /* chunks that have a free object; empty chunks come last */
};

/* Allocates nothing. Memory is mapped by the first slab_take(). */
void slab_init(struct slab *slab, size_t object_bytes, uint32_t max);

/* All objects must have been given back. May be called twice. */
void slab_deinit(struct slab *slab);

/* Returns an uninitialised object, aligned to 64 bytes, or NULL if `max` objects are in use or memory is exhausted. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);

/* Whether slab_trim() would free a chunk. One empty chunk is kept for the next object. */
static inline bool slab_trimmable(const struct slab *slab)
{
    return slab->empty_chunks > 1;
}

/* Whether free objects are scattered, so that few used objects keep many chunks from being freed. */
static inline bool slab_scattered(const struct slab *slab)
{
    return slab->total - slab->used > slab->used / 4 + (2 + slab->empty_chunks) * slab->chunk_objects;
}

/* Returns half of the empty chunks to the system, up to a bounded number. Repeated calls return all memory that is no longer needed, while a load that comes
 * and goes within a few calls keeps its chunks. Makes one system call for each chunk: not for the hot path. */
void slab_trim(struct slab *slab);

/* Whether the address lies in a free object. For tests only: it visits every free object. */
bool slab_is_free(const struct slab *slab, const void *address);

#endif
