/* select/least_conn.c: the backend with the fewest sessions for its weight, counted over all workers. Run by any worker.
 *
 * A newcomer (table/backend.h) has no sessions yet, so it would get all of them until it had as many as the others, which is a flood for a server that has
 * just started. Instead, it gets them as if sessions were drawn at random and it had twice its weight: 2 of 11 with nine others of the same weight. */
#include "base/hash.h"
#include "select/algorithm.h"

#define NONE UINT32_MAX

/* After this many searches whose slot another worker took first, any open backend is taken. */
#define SEARCHES_MAX 8

/* The search ends when it has found this many idle backends of the greatest weight: no other backend can have a lower load. */
#define IDLE_ENOUGH 16

/* The open backend with the lowest (in_flight + 1) / weight, that is, with the load it would have after taking this
 * session. With `skips_newcomers`, none of them is chosen. Equal backends are equally likely: the n-th equal one replaces the choice with
 * probability 1/n. The search starts at a random backend, so that this also holds if it ends early. */
static uint32_t find_lowest(const struct snapshot_pool *pool, struct select_request *request, bool skips_newcomers)
{
    uint32_t best = NONE;
    uint32_t equals = 0;
    uint64_t best_load = 0, best_weight = 1;
    uint32_t i = random_below(request->random, pool->usable_count);
    for (uint32_t seen = 0; seen < pool->usable_count; seen++, i = i + 1 < pool->usable_count ? i + 1 : 0) {
        if (!algorithm_open(pool, i, request) || (skips_newcomers && backend_is_newcomer(pool->usable[i].backend)))
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

/* Draws whether this session goes to a newcomer. */
static bool draw_newcomer(const struct snapshot_pool *pool, struct select_request *request)
{
    uint64_t all = 0, newcomers = 0;

    for (uint32_t i = 0; i < pool->usable_count; i++) {
        all += pool->usable[i].weight;
        newcomers += backend_is_newcomer(pool->usable[i].backend) ? pool->usable[i].weight : 0;
    }
    return random_next(request->random) % (all + newcomers) < 2 * newcomers;
}

/* The backend with the lowest load, or if that is a newcomer and the draw says so, the lowest of the others. NONE: none is open. */
static uint32_t choose_lowest(const struct snapshot_pool *pool, struct select_request *request)
{
    uint32_t lowest = find_lowest(pool, request, false), other;

    if (lowest == NONE || !backend_is_newcomer(pool->usable[lowest].backend) || draw_newcomer(pool, request))
        return lowest;
    other = find_lowest(pool, request, true);
    return other != NONE ? other : lowest;
}

static struct backend *least_conn_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    for (int search = 0; search < SEARCHES_MAX; search++) {
        uint32_t i = choose_lowest(pool, request);
        if (i == NONE)
            return NULL;
        struct backend *backend = algorithm_take(pool, i, request);
        if (backend) {
            backend_count_newcomer(backend);
            return backend;
        }
    }
    return algorithm_take_any(pool, random_below(request->random, pool->usable_count), request);
}

const struct algorithm algorithm_least_conn = {
    .pick = least_conn_pick,
};
