/* select/selector.h: selects a backend from a snapshot.
 *
 * The functions depend only on the snapshot, the key and explicit state. They take no lock and allocate nothing. A selected
 * backend comes with a slot. */
#ifndef SELECT_SELECTOR_H
#define SELECT_SELECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "table/snapshot.h"

/* Maximum number of backends that one session tries: `retries` is at most one less. */
#define SELECT_TRIES_MAX 16

/* The request of one session. */
struct select_request {
    const struct addr *client;             /* hashed as hash_key and the prefixes say; a UNIX client hashes as one key */
    uint64_t *random;                      /* the worker's generator state (base/hash.h: random_next) */
    uint32_t tried[SELECT_TRIES_MAX];      /* backend ids that already failed for this session: never picked again */
    uint32_t tried_count;
};

/* Picks a usable backend that was not tried and is not full, and reserves a slot on it: the caller owns the slot and
 * gives it back with backend_release(). NULL: no such backend. Any worker, online in the epoch.
 *
 * The next choice, when the first is full or was tried, is: round_robin, the next place of the sequence (after a whole
 * round or 64 places least_conn's choice, so that a heavy full backend is not walked over again and again); least_conn, the next
 * lowest; random, two more draws, then in order from a drawn place; consistent_hash, another entry of
 * the Maglev table, drawn from the client's hash; it does the same when the first is not usable. After 64 entries it takes
 * the winner of weighted rendezvous hashing among the open backends. So a client moves only when its own backend goes, or
 * to one that comes back, and balancers that agree on the first choice agree on the others too. */
struct backend *selector_pick(const struct snapshot_pool *pool, struct select_request *request);

/* Builds what the pools' selectors need, for table_new(). Publisher. */
extern const struct table_prepare selector_prepare;

#endif
