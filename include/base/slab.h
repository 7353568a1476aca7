/* base/slab.h: objects of one size that stay where they are. One thread.
 *
 * Grows by chunks up to a limit, so that the hot path takes and gives without the allocator. Chunks come from the system itself, and go back to it when
 * slab_trim() finds them wholly free: what a crowd of clients needed is not kept for ever. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct slab {
    size_t object_bytes;
    size_t chunk_bytes;     /* a power of two, to which a chunk is aligned */
    uint32_t chunk_objects; /* most in a chunk */
    uint32_t max;           /* objects */
    uint32_t total;         /* objects there is memory for, free or in use */
    uint32_t used;
    uint32_t empty_chunks;  /* of which no object is in use */
    struct list partial;    /* chunks that have a free object; those without any in use come last */
};

/* Allocates nothing yet. */
void slab_init(struct slab *slab, size_t object_bytes, uint32_t max);

/* Every object must have been given back. Safe twice. */
void slab_deinit(struct slab *slab);

/* Uninitialised memory, aligned to 64 bytes; NULL: `max` are in use, or out of memory. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);

/* Whether slab_trim() would free something: one empty chunk is kept for the next object. */
static inline bool slab_trimmable(const struct slab *slab)
{
    return slab->empty_chunks > 1;
}

/* Whether much is free without being in empty chunks: few objects keep many chunks. */
static inline bool slab_scattered(const struct slab *slab)
{
    return slab->total - slab->used > slab->used / 4 + (2 + slab->empty_chunks) * slab->chunk_objects;
}

/* Gives the system half of the empty chunks, a bounded number at once: called again and again it returns what is not needed any more, and a load that comes and
 * goes within a few calls keeps its chunks. A system call a chunk: not for the hot path. */
void slab_trim(struct slab *slab);

/* Whether the address lies in a free object. For tests: it looks at every free one. */
bool slab_is_free(const struct slab *slab, const void *address);

#endif
