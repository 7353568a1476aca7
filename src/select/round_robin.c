/* select/round_robin.c: weighted round robin along a smooth sequence that all workers walk together.
 *
 * Run by any worker; the shared cursor is in the pool's live object. */
#include "select/algorithm.h"
#include "select/sequence.h"

/* Maximum number of places that one selection tries: enough to pass some full backends, and few enough that a full pool costs
 * little. */
#define PLACES_MAX 64

static struct backend *round_robin_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    /* Each attempt takes the next place from the shared cursor. If it only looked one place further, the successor of a full backend would get the share of
     * both. */
    uint32_t looks = pool->sequence_count < PLACES_MAX ? pool->sequence_count : PLACES_MAX;
    for (uint32_t look = 0; look < looks; look++) {
        uint32_t place = pool_next_turn(pool->pool) % pool->sequence_count;
        struct backend *backend = algorithm_take(pool, pool->sequence[place], request);
        if (backend)
            return backend;
    }
    return algorithm_least_conn.pick(pool, request);
}

const struct algorithm algorithm_round_robin = {
    .prepare = sequence_build,
    .pick = round_robin_pick,
};
