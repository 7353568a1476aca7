/* select/random.c: the less loaded of two weighted draws ("the power of two choices", Mitzenmacher 2001). Run by any
 * worker.
 *
 * A draw is a random place of the same sequence that round robin walks: O(1), whatever the weights. */
#include "base/hash.h"
#include "select/algorithm.h"
#include "select/sequence.h"

/* Maximum number of draws until the second backend of a pair differs from the first. With two backends of equal weight, one
 * pair in 16 does not differ. */
#define SECOND_DRAWS_MAX 4

/* After this many pairs without an open backend, the backends are tried in order. */
#define PAIRS_MAX 2

static uint32_t draw_backend(const struct snapshot_pool *pool, struct select_request *request)
{
    return pool->sequence[random_below(request->random, pool->sequence_count)];
}

static uint32_t draw_other(const struct snapshot_pool *pool, struct select_request *request, uint32_t first)
{
    uint32_t second = first;
    for (int i = 0; i < SECOND_DRAWS_MAX && second == first; i++)
        second = draw_backend(pool, request);
    return second;
}

/* Whether a has more sessions for its weight than b. */
static bool is_busier(const struct snapshot_backend *a, const struct snapshot_backend *b)
{
    return (uint64_t)backend_in_flight(a->backend) * b->weight > (uint64_t)backend_in_flight(b->backend) * a->weight;
}

static struct backend *random_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    for (int pair = 0; pair < PAIRS_MAX; pair++) {
        uint32_t better = draw_backend(pool, request);
        uint32_t worse = draw_other(pool, request, better);
        if (is_busier(&pool->usable[better], &pool->usable[worse])) {
            uint32_t other = better;
            better = worse;
            worse = other;
        }
        struct backend *backend = algorithm_take(pool, better, request);
        if (!backend)
            backend = algorithm_take(pool, worse, request);
        if (backend)
            return backend;
    }
    return algorithm_take_any(pool, draw_backend(pool, request), request);
}

const struct algorithm algorithm_random = {
    .prepare = sequence_build,
    .pick = random_pick,
};
