/* table/epoch.c: quiescent-state-based reclamation. The writer advances, readers announce what they have seen.
 *
 * `current` counts publications. A reader's `seen` is 0 while it is offline; otherwise it holds no pointer that was
 * retired under a ticket of at most `seen`. Why a retired pointer cannot still be held once epoch_reached() says so:
 *  - A reader that passes or goes offline stores `seen` with release after its last use; the writer's load acquires it.
 *  - A reader that passes loads `current` with acquire first: having read ticket T it sees the pointer stored before T
 *    was issued, or a newer one, and never the one retired under T again.
 *  - A reader that comes online stores `seen`, then loads `current`, both sequentially consistent; the writer adds to
 *    `current`, then loads `seen`, likewise. Either the writer's load finds the reader online with an older epoch and
 *    waits for it, or the reader's load finds the new epoch and with it (the addition releases) the new pointer. */
#include "table/epoch.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define OFFLINE 0

struct epoch_reader {
    _Alignas(64) _Atomic uint64_t seen; /* written by this reader alone, read by the writer */
};

struct epoch {
    _Alignas(64) _Atomic uint64_t current; /* from 1; written by the writer, read by every reader */
    unsigned reader_count;                 /* immutable */
    struct epoch_reader readers[];
};

struct epoch *epoch_new(unsigned readers)
{
    struct epoch *epoch = aligned_alloc(_Alignof(struct epoch), sizeof(*epoch) + readers * sizeof(epoch->readers[0]));
    if (!epoch)
        return NULL;
    atomic_init(&epoch->current, OFFLINE + 1);
    epoch->reader_count = readers;
    for (unsigned i = 0; i < readers; i++)
        atomic_init(&epoch->readers[i].seen, OFFLINE);
    return epoch;
}

void epoch_free(struct epoch *epoch)
{
    free(epoch);
}

void epoch_online(struct epoch *epoch, unsigned reader)
{
    assert(reader < epoch->reader_count);
    _Atomic uint64_t *seen = &epoch->readers[reader].seen;
    assert(atomic_load_explicit(seen, memory_order_relaxed) == OFFLINE);
    uint64_t now = atomic_load_explicit(&epoch->current, memory_order_acquire);
    atomic_store_explicit(seen, now, memory_order_seq_cst);
    /* Its value is not needed: a newer epoch than `now` only means that the writer waits for our next pass. Its order
     * is: see above. */
    (void)atomic_load_explicit(&epoch->current, memory_order_seq_cst);
}

void epoch_pass(struct epoch *epoch, unsigned reader)
{
    assert(reader < epoch->reader_count);
    _Atomic uint64_t *seen = &epoch->readers[reader].seen;
    /* Coming online by way of a pass would lack the order that epoch_online() gives. */
    assert(atomic_load_explicit(seen, memory_order_relaxed) != OFFLINE);
    atomic_store_explicit(seen, atomic_load_explicit(&epoch->current, memory_order_acquire), memory_order_release);
}

void epoch_offline(struct epoch *epoch, unsigned reader)
{
    assert(reader < epoch->reader_count);
    atomic_store_explicit(&epoch->readers[reader].seen, OFFLINE, memory_order_release);
}

uint64_t epoch_advance(struct epoch *epoch)
{
    return atomic_fetch_add_explicit(&epoch->current, 1, memory_order_seq_cst) + 1;
}

bool epoch_reached(const struct epoch *epoch, uint64_t ticket)
{
    for (unsigned i = 0; i < epoch->reader_count; i++) {
        uint64_t seen = atomic_load_explicit(&epoch->readers[i].seen, memory_order_seq_cst);
        if (seen != OFFLINE && seen < ticket)
            return false;
    }
    return true;
}
