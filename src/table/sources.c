/* table/sources.c: how many flows each client address has. Any worker; owns the counters.
 *
 * A flow is counted in both rows, and only then are both counters read; it is taken back if both are too high. All operations are sequentially consistent, so
 * among workers that count flows of one source at the same time, the last one to count reads the flows of all others: together they never exceed the limit.
 * They may all be refused if they count at the same moment and there is a place for only some of them. */
#include "table/sources.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"

enum { ROW_COUNTERS = 65536 };

struct sources {
    uint64_t secret[2]; /* random key of the hash, so that nobody can choose addresses that share counters */
    _Atomic uint32_t rows[2][ROW_COUNTERS];
};

struct sources *sources_new(void)
{
    struct sources *sources = calloc(1, sizeof(*sources));

    if (sources && getrandom(sources->secret, sizeof(sources->secret), 0) != sizeof(sources->secret)) {
        free(sources);
        return NULL;
    }
    return sources;
}

void sources_free(struct sources *sources)
{
    free(sources);
}

uint32_t sources_hash(const struct sources *sources, const void *address, size_t bytes)
{
    return (uint32_t)hash_bytes(address, bytes, sources->secret[0], sources->secret[1]);
}

static _Atomic uint32_t *counter_of(struct sources *sources, unsigned row, uint32_t hash)
{
    return &sources->rows[row][(hash >> (row * 16)) % ROW_COUNTERS];
}

bool sources_take(struct sources *sources, uint32_t hash, uint32_t max)
{
    (void)atomic_fetch_add(counter_of(sources, 0, hash), 1);
    (void)atomic_fetch_add(counter_of(sources, 1, hash), 1);
    if (atomic_load(counter_of(sources, 0, hash)) <= max || atomic_load(counter_of(sources, 1, hash)) <= max)
        return true;
    sources_give(sources, hash);
    return false;
}

void sources_give(struct sources *sources, uint32_t hash)
{
    for (unsigned row = 0; row < 2; row++) {
        uint32_t before = atomic_fetch_sub(counter_of(sources, row, hash), 1);

        assert(before > 0);
        (void)before;
    }
}
