/* select/consistent_hash.c: Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, section 3.4) with weights. The table is built by health or control, looked up by any worker.
 *
 * The table depends on the names, weights and seed of the usable backends alone: candidates are sorted by name, and
 * take turns by weight (select/turns.h) in an order that for any two of them does not depend on the others. So
 * balancers that agree on these and on who is up agree on every client, and when one backend leaves few clients of the
 * others move. All hashes are SipHash-2-4 under the seed; the second half of the key separates their purposes. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/hash.h"
#include "select/algorithm.h"
#include "select/turns.h"

enum purpose { PURPOSE_OFFSET = 1, PURPOSE_SKIP = 2, PURPOSE_CLIENT = 3 };

#define EMPTY UINT32_MAX

/* Entries walked at most: a pool that is full, or nearly so, does not cost a walk of the whole table. */
#define WALK_MAX 64

/* A backend with its permutation of the table: place, place + skip, place + 2 skip, ... modulo the (prime) size. */
struct candidate {
    const char *name;
    uint32_t index; /* into pool->usable */
    uint32_t weight;
    uint32_t place; /* next entry it would like */
    uint32_t skip;  /* 1 to size - 1 */
};

static int by_name(const void *a, const void *b)
{
    const struct candidate *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static void candidates_init(struct candidate *candidates, const struct snapshot_pool *pool, uint32_t size)
{
    for (uint32_t i = 0; i < pool->usable_count; i++) {
        const char *name = pool->usable[i].backend->name;
        size_t length = strlen(name);
        candidates[i] = (struct candidate){
            .name = name,
            .index = i,
            .weight = pool->usable[i].weight,
            .place = (uint32_t)(hash_bytes(name, length, pool->hash_seed, PURPOSE_OFFSET) % size),
            .skip = (uint32_t)(hash_bytes(name, length, pool->hash_seed, PURPOSE_SKIP) % (size - 1) + 1),
        };
    }
    qsort(candidates, pool->usable_count, sizeof(*candidates), by_name);
}

static void candidate_step(struct candidate *candidate, uint32_t size)
{
    candidate->place += candidate->skip;
    if (candidate->place >= size)
        candidate->place -= size;
}

static void table_fill(uint32_t *table, uint32_t size, struct candidate *candidates, struct turns *turns)
{
    for (uint32_t i = 0; i < size; i++)
        table[i] = EMPTY;
    for (uint32_t filled = 0; filled < size; filled++) {
        uint32_t turn = turns_next(turns);
        struct candidate *candidate = &candidates[turn];
        while (table[candidate->place] != EMPTY)
            candidate_step(candidate, size);
        table[candidate->place] = candidate->index;
        turns_take(turns, turn, false);
    }
}

static int consistent_hash_prepare(struct snapshot_pool *pool)
{
    uint32_t size = pool->settings->hash_table_size;
    uint32_t count = pool->usable_count;
    assert(size >= 2 && size < UINT32_C(1) << 31); /* so that place + skip fits */
    int result = -ENOMEM;
    struct turns *turns = NULL;
    uint32_t *weights = calloc(count, sizeof(*weights));
    uint32_t *table = calloc(size, sizeof(*table));
    struct candidate *candidates = calloc(count, sizeof(*candidates));
    if (!weights || !table || !candidates)
        goto fail;
    candidates_init(candidates, pool, size);
    for (uint32_t i = 0; i < count; i++)
        weights[i] = candidates[i].weight;
    turns = turns_new(weights, count);
    if (!turns)
        goto fail;
    table_fill(table, size, candidates, turns);
    pool->maglev = table; /* the snapshot owns it now */
    pool->maglev_count = size;
    table = NULL;
    result = 0;
fail:
    turns_free(turns);
    free(candidates);
    free(table);
    free(weights);
    return result;
}

/* Clears all but the first `bits` bits. */
static void mask_bytes(unsigned char *bytes, size_t length, unsigned bits)
{
    for (size_t i = 0; i < length; i++, bits -= bits < 8 ? bits : 8)
        if (bits < 8)
            bytes[i] &= (unsigned char)(0xff00u >> bits);
}

/* What of the client's address decides: a byte for the family, the address under the pool's prefix, the port in
 * network order if asked for. An IPv4 address mapped into IPv6 is the IPv4 client it stands for. A client without an
 * IP address is the family byte alone. */
static uint64_t client_hash(const struct snapshot_pool *pool, const struct addr *client)
{
    const struct pool_settings *settings = pool->settings;
    unsigned char key[1 + 16 + 2] = {0};
    size_t length = 1;
    const struct in6_addr *v6 = &client->in6.sin6_addr;
    bool ip = client->sa.sa_family == AF_INET || client->sa.sa_family == AF_INET6;

    if (client->sa.sa_family == AF_INET || (ip && IN6_IS_ADDR_V4MAPPED(v6))) {
        key[0] = 4;
        memcpy(key + 1, client->sa.sa_family == AF_INET ? (const void *)&client->in.sin_addr : &v6->s6_addr[12], 4);
        mask_bytes(key + 1, 4, settings->hash_prefix_v4);
        length += 4;
    } else if (ip) {
        key[0] = 6;
        memcpy(key + 1, v6, 16);
        mask_bytes(key + 1, 16, settings->hash_prefix_v6);
        length += 16;
    }
    if (ip && settings->hash_key == CONFIG_HASH_SOURCE_IP_PORT) {
        in_port_t port = client->sa.sa_family == AF_INET ? client->in.sin_port : client->in6.sin6_port;
        memcpy(key + length, &port, 2);
        length += 2;
    }
    return hash_bytes(key, length, pool->hash_seed, PURPOSE_CLIENT);
}

/* Of the backends that are open the one whose name, hashed with the client, is highest: rendezvous hashing. Weights do
 * not count. */
static struct backend *pick_highest(const struct snapshot_pool *pool, struct select_request *request, uint64_t client)
{
    uint64_t highest = 0;
    uint32_t chosen = pool->usable_count;

    for (uint32_t i = 0; i < pool->usable_count; i++) {
        const char *name = pool->usable[i].backend->name;
        uint64_t hash;

        if (!algorithm_open(pool, i, request))
            continue;
        hash = hash_bytes(name, strlen(name), pool->hash_seed, client);
        if (chosen == pool->usable_count || hash > highest) {
            highest = hash;
            chosen = i;
        }
    }
    if (chosen == pool->usable_count)
        return NULL;
    /* Another worker may have taken its last slot. */
    return algorithm_take_any(pool, chosen, request);
}

static struct backend *consistent_hash_pick(const struct snapshot_pool *pool, struct select_request *request)
{
    uint64_t client = client_hash(pool, request->client);
    uint32_t place = (uint32_t)(client % pool->maglev_count);

    for (uint32_t step = 0; step < WALK_MAX && step < pool->maglev_count; step++) {
        struct backend *backend = algorithm_take(pool, pool->maglev[place], request);
        if (backend)
            return backend;
        if (++place == pool->maglev_count)
            place = 0;
    }
    /* Nearly all are full; or the open ones have no entry: a table set smaller than the pool, or a share of the weights
     * below one entry. */
    return pick_highest(pool, request, client);
}

const struct algorithm algorithm_consistent_hash = {
    .prepare = consistent_hash_prepare,
    .pick = consistent_hash_pick,
};
