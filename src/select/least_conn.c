/* select/least_conn.c: the backend with the fewest sessions for its weight, counted over all workers. Run by any
 * worker. */
#include "base/hash.h"
#include "select/algorithm.h"

#define NONE UINT32_MAX

/* After this many searches whose slot another worker took first, any open backend is taken. */
#define SEARCHES_MAX 8

/* The search ends when it has found this many idle backends of the greatest weight: no other backend can have a lower load. */
#define IDLE_ENOUGH 16

/* The open backend with the lowest (in_flight + 1) / weight, that is, with the load it would have after taking this
 * session. Equal backends are equally likely: the n-th equal one replaces the choice with
 * probability 1/n. The search starts at a random backend, so that this also holds if it ends early. */
static uint32_t find_lowest(const struct snapshot_pool *pool, struct select_request *request)
{
    uint32_t best = NONE;
    uint32_t equals = 0;
    uint64_t best_load = 0, best_weight = 1;
    uint32_t i = random_below(request->random, pool->usable_count);
    for (uint32_t seen = 0; seen < pool->usable_count; seen++, i = i + 1 < pool->usable_count ? i + 1 : 0) {
        if (!algorithm_open(pool, i, request))
            continue;
        uint64_t load = (uint64_t)backend_in_flight(pool->usable[i].backend) + 1;
        uint64_t weight = pool->usable[i].weight;
        uint64_t ours = load * best_weight, theirs = best_load * weight;
        if (best == NONE || ours < theirs)
            equals = 1;
        else if (ours > theirs || random_below(request->random, ++equals) != 0)
            continue;
        best = i;
        best_load = load;
        best_weight = weight;
        if (equals >= IDLE_ENOUGH && load == 1 && weight == pool->greatest_weight)
            break;
    }
    return best;
}

static struct backend *least_conn_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    for (int search = 0; search < SEARCHES_MAX; search++) {
        uint32_t i = find_lowest(pool, request);
        if (i == NONE)
            return NULL;
        struct backend *backend = algorithm_take(pool, i, request);
        if (backend)
            return backend;
    }
    return algorithm_take_any(pool, random_below(request->random, pool->usable_count), request);
}

const struct algorithm algorithm_least_conn = {
    .pick = least_conn_pick,
};
