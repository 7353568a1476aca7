/* base/slab.h: objects of one size that stay where they are. One thread.
 *
 * Grows by chunks up to a limit and keeps what it has, so that the hot path takes and gives without the allocator. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab {
    size_t object_bytes;
    uint32_t max;        /* objects */
    uint32_t total;      /* objects there are, free or in use */
    uint32_t used;
    void *free;          /* chain through the objects' first word */
    void *chunks;        /* chain through the chunks' first word */
};

/* `object_bytes` is at least a pointer's. Allocates nothing yet. */
void slab_init(struct slab *slab, size_t object_bytes, uint32_t max);

/* Every object must have been given back. */
void slab_deinit(struct slab *slab);

/* Uninitialised memory, aligned to 64 bytes; NULL: `max` are in use, or out of memory. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);

#endif
