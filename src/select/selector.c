/* select/selector.c: picks a backend from a snapshot: finds the pool's algorithm and holds what they share.
 *
 * selector_pick() is run by any worker, selector_prepare's functions by health or control. Owns nothing. */
#include "select/selector.h"

#include <assert.h>

#include "base/hash.h"
#include "config/config.h"
#include "select/algorithm.h"

static const struct algorithm *const algorithms[] = {
    [CONFIG_BALANCE_ROUND_ROBIN] = &algorithm_round_robin,
    [CONFIG_BALANCE_LEAST_CONN] = &algorithm_least_conn,
    [CONFIG_BALANCE_RANDOM] = &algorithm_random,
    [CONFIG_BALANCE_CONSISTENT_HASH] = &algorithm_consistent_hash,
};

static const struct algorithm *find_algorithm(const struct pool_settings *settings)
{
    size_t balance = settings->balance;
    assert(balance < sizeof(algorithms) / sizeof(algorithms[0]));
    return algorithms[balance];
}

struct backend *selector_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    assert(request->tried_count <= SELECT_TRIES_MAX);
    if (pool->usable_count == 0)
        return NULL;
    return find_algorithm(pool->settings)->pick(pool, request);
}

static int prepare_set(const struct config_pool *config, uint64_t hash_seed, struct snapshot_set **set)
{
    const struct algorithm *algorithm = find_algorithm(&config->settings);

    *set = NULL;
    return algorithm->prepare_set ? algorithm->prepare_set(config, hash_seed, set) : 0;
}

static int prepare_pool(struct snapshot_pool *pool)
{
    const struct algorithm *algorithm = find_algorithm(pool->settings);
    if (pool->usable_count == 0 || !algorithm->prepare)
        return 0;
    return algorithm->prepare(pool);
}

const struct table_prepare selector_prepare = {.set = prepare_set, .pool = prepare_pool};

static bool was_tried(const struct select_request *request, uint32_t id)
{
    for (uint32_t i = 0; i < request->tried_count; i++)
        if (request->tried[i] == id)
            return true;
    return false;
}

struct backend *selector_pick_reserve(const struct snapshot_pool *pool, struct select_request *request)
{
    uint32_t count = pool->reserve_count, first = count > 0 ? random_below(request->random, count) : 0;

    for (uint32_t step = 0; step < count; step++) {
        struct backend *backend = pool->reserve[(first + step) % count].backend;
        if (!was_tried(request, backend->id) && backend_reserve(backend))
            return backend;
    }
    return NULL;
}

bool algorithm_open(const struct snapshot_pool *pool, uint32_t i, const struct select_request *request)
{
    const struct backend *backend = pool->usable[i].backend;
    return !was_tried(request, backend->id) && !backend_full(backend);
}

struct backend *algorithm_take(const struct snapshot_pool *pool, uint32_t i, const struct select_request *request)
{
    struct backend *backend = pool->usable[i].backend;
    return !was_tried(request, backend->id) && backend_reserve(backend) ? backend : NULL;
}

struct backend *algorithm_take_any(const struct snapshot_pool *pool, uint32_t first, const struct select_request *request)
{
    uint32_t count = pool->usable_count;
    assert(first < count);
    for (uint32_t step = 0; step < count; step++) {
        uint32_t i = step < count - first ? first + step : step - (count - first);
        struct backend *backend = algorithm_take(pool, i, request);
        if (backend)
            return backend;
    }
    return NULL;
}
