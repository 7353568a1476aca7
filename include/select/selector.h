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

/* Maximum size of what is hashed instead of the client's address. */
#define SELECT_TOKEN_MAX 20

/* The request of one session or flow. */
struct select_request {
    const struct addr *client;             /* hashed as hash_key and the prefixes say; a UNIX client hashes as one key */
    const uint8_t *token;                  /* with hash_key = quic_cid, hashed instead of the address; NULL: hash the address */
    uint64_t *random;                      /* the worker's generator state (base/hash.h: random_next) */
    uint32_t tried[SELECT_TRIES_MAX];      /* backend ids that already failed for this session: never picked again */
    uint32_t tried_count;
    uint32_t token_bytes;                  /* at most SELECT_TOKEN_MAX */
};

/* Picks a usable backend that was not tried and is not full, and reserves a slot on it, which the caller owns
 * (lease_take_backend()). NULL: no such backend. Any worker, online in the epoch.
 *
 * If the first choice is full or was tried, the next one is:
 *   round_robin      the next place of the sequence; after a whole round or 64 places, the choice of least_conn, so that a heavy full backend costs little
 *   least_conn       the backend with the next lowest load
 *   random           that of two more draws, then the backends in order from a drawn place
 *   consistent_hash  another entry of the Maglev table, drawn from the client's hash, also if the first is not usable; after 64 entries, the winner of weighted
 *                    rendezvous hashing among the open backends. So a client moves only when its own backend goes down, or to one that comes back, and
 *                    balancers that agree on the first choice agree on the others too */
struct backend *selector_pick(const struct snapshot_pool *pool, struct select_request *request);

/* The same from the backends in reserve, starting at a drawn place. For a session whose backend has failed, when selector_pick() finds no other one. */
struct backend *selector_pick_reserve(const struct snapshot_pool *pool, struct select_request *request);

/* Builds what the pools' selectors need, for table_new(). Publisher. */
extern const struct table_prepare selector_prepare;

#endif
