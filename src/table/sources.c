/* table/sources.c: how many flows each client address has. Any worker; owns the counters.
 *
 * Each counter is changed by itself, and no other memory depends on it (relaxed). A flow is counted in both rows before the limit is checked, and taken back if
 * one of its counters was too high, so that workers which count at the same time never exceed the limit together. */
#include "table/sources.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ROW_COUNTERS = 65536 };

struct sources {
    _Atomic uint32_t rows[2][ROW_COUNTERS];
};

struct sources *sources_new(void)
{
    return calloc(1, sizeof(struct sources));
}

void sources_free(struct sources *sources)
{
    free(sources);
}

static _Atomic uint32_t *counter_of(struct sources *sources, unsigned row, uint32_t hash)
{
    return &sources->rows[row][(hash >> (row * 16)) % ROW_COUNTERS];
}

bool sources_take(struct sources *sources, uint32_t hash, uint32_t max)
{
    uint32_t first = atomic_fetch_add_explicit(counter_of(sources, 0, hash), 1, memory_order_relaxed);
    uint32_t second = atomic_fetch_add_explicit(counter_of(sources, 1, hash), 1, memory_order_relaxed);

    if (first < max || second < max)
        return true;
    sources_give(sources, hash);
    return false;
}

void sources_give(struct sources *sources, uint32_t hash)
{
    for (unsigned row = 0; row < 2; row++) {
        uint32_t before = atomic_fetch_sub_explicit(counter_of(sources, row, hash), 1, memory_order_relaxed);

        assert(before > 0);
        (void)before;
    }
}
