/* base/ring.c: Dmitry Vyukov's bounded queue for many producers and many consumers. Any thread; owns its cells.
 *
 * Positions only grow. Position p belongs to cell p mod capacity. The cell's sequence number says whose turn it is. It is relative to the first position of
 * the round, r = p - p mod capacity, so that an unused cell is all zero and the kernel allocates its memory when it is first written:
 *   r                 free, the producer of position p may write
 *   r + 1             full, the consumer of position p may read
 *   r + capacity      free again, for the producer one round later
 * The sequence is stored with release order after the record was copied, and loaded with acquire order before the record is accessed, so the
 * record itself needs no atomics. The two positions are claimed with relaxed order because they publish nothing. */
#include "base/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct cell {
    _Atomic size_t sequence;
    unsigned char record[];
};

struct ring {
    /* Immutable after ring_new(). */
    size_t bytes; /* of the whole mapping */
    size_t mask;
    size_t record_bytes;
    size_t stride_bytes; /* distance from one cell to the next */

    /* Shared. Producers contend for one and consumers for the other, so each has its own cache line. */
    _Alignas(64) _Atomic size_t push_position;
    _Alignas(64) _Atomic size_t pop_position;
    _Alignas(64) unsigned char cells[];
};

static struct cell *ring_cell(struct ring *ring, size_t position)
{
    return (struct cell *)(void *)(ring->cells + (position & ring->mask) * ring->stride_bytes);
}

struct ring *ring_new(size_t capacity, size_t record_bytes)
{
    assert(capacity >= 2 && (capacity & (capacity - 1)) == 0);
    assert(record_bytes > 0);
    size_t cell_bytes, cells_bytes, bytes;
    if (__builtin_add_overflow(record_bytes, sizeof(struct cell) + _Alignof(struct cell) - 1, &cell_bytes))
        return NULL;
    cell_bytes -= cell_bytes % _Alignof(struct cell);
    if (__builtin_mul_overflow(capacity, cell_bytes, &cells_bytes) ||
        __builtin_add_overflow(cells_bytes, sizeof(struct ring), &bytes))
        return NULL;

    struct ring *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        return NULL;
    ring->bytes = bytes;
    ring->mask = capacity - 1;
    ring->record_bytes = record_bytes;
    ring->stride_bytes = cell_bytes;
    atomic_init(&ring->push_position, 0);
    atomic_init(&ring->pop_position, 0);
    return ring;
}

void ring_free(struct ring *ring)
{
    if (ring)
        (void)munmap(ring, ring->bytes);
}

/* Claims the next position whose cell has reached its round and `turn`. Returns NULL if that cell is still one round behind. A failed exchange reloads
 * `position`. A cell that is ahead of us has been claimed by another thread in the meantime. */
static struct cell *ring_claim(struct ring *ring, _Atomic size_t *counter, size_t turn, size_t *claimed)
{
    size_t position = atomic_load_explicit(counter, memory_order_relaxed);
    for (;;) {
        struct cell *cell = ring_cell(ring, position);
        size_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
        ptrdiff_t ahead = (ptrdiff_t)(sequence - ((position & ~ring->mask) + turn));
        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            position = atomic_load_explicit(counter, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(counter, &position, position + 1, memory_order_relaxed,
                                                         memory_order_relaxed)) {
            *claimed = position;
            return cell;
        }
    }
}

bool ring_push(struct ring *ring, const void *record)
{
    size_t position;
    struct cell *cell = ring_claim(ring, &ring->push_position, 0, &position);
    if (!cell)
        return false;
    memcpy(cell->record, record, ring->record_bytes);
    atomic_store_explicit(&cell->sequence, (position & ~ring->mask) + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *ring, void *record)
{
    size_t position;
    struct cell *cell = ring_claim(ring, &ring->pop_position, 1, &position);
    if (!cell)
        return false;
    memcpy(record, cell->record, ring->record_bytes);
    atomic_store_explicit(&cell->sequence, (position & ~ring->mask) + ring->mask + 1, memory_order_release);
    return true;
}
