/* select/algorithm.h: the interface between selector.c and the algorithms.
 *
 * One const ops struct per algorithm, each in a file of its own. */
#ifndef SELECT_ALGORITHM_H
#define SELECT_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "select/selector.h"
#include "table/snapshot.h"

struct algorithm {
    /* Builds the part of what pick() needs that depends only on the configuration. Returns 0 or -ENOMEM. NULL: nothing to build. */
    int (*prepare_set)(const struct config_pool *config, uint64_t hash_seed, struct snapshot_set **set);
    /* Builds the rest into the pool, which has at least one usable backend. Returns 0 or -ENOMEM. NULL: nothing to build. */
    int (*prepare)(struct snapshot_pool *pool);
    /* As selector_pick(), for a pool with at least one usable backend. */
    struct backend *(*pick)(const struct snapshot_pool *pool, struct select_request *request);
};

extern const struct algorithm algorithm_round_robin;
extern const struct algorithm algorithm_least_conn;
extern const struct algorithm algorithm_random;
extern const struct algorithm algorithm_consistent_hash;

/* Whether backend `i` of `usable` was not tried for this session and is not full at this moment. */
bool algorithm_open(const struct snapshot_pool *pool, uint32_t i, const struct select_request *request);

/* Takes a slot on backend `i` of `usable`. NULL: it was tried or is full. */
struct backend *algorithm_take(const struct snapshot_pool *pool, uint32_t i, const struct select_request *request);

/* Takes a slot on the first open backend, starting at `first`, in the order of the configuration and around. NULL: none is open. */
struct backend *algorithm_take_any(const struct snapshot_pool *pool, uint32_t first, const struct select_request *request);

#endif
