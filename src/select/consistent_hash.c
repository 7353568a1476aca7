/* select/consistent_hash.c: Maglev hashing with weights (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section
 * 3.4). The table is built by health or control, and read by any worker.
 *
 * The table depends only on the names, weights and seed of the configured backends, whether they are up or down. The candidates are sorted by name. They take
 * turns by weight (select/turns.h); the order of any two of them does not depend on the others. Each client has its own order of table entries: the first is
 * its hash, the others are drawn from it. It gets the first entry whose backend has a free slot.
 *   - Balancers that have the same table, and agree on which backends are up, make the same choice for every client.
 *   - A client moves only when its own backend goes down or its weight is reduced, or when a backend that is earlier in its order comes back.
 *   - The clients of a backend that is down are spread over the others by weight.
 *   - A backend whose weight is reduced for some time (table/capacity.h) gives away a part of its clients in the same way. A hash of its name and the client
 *     decides which, so that the same clients come back as its weight grows. A weight above the configured one changes nothing.
 *   - When a backend leaves the configuration, few clients of the other backends move.
 * Backups have a table of their own. All hashes are SipHash-2-4 under the seed; the second half of the key separates their purposes. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/hash.h"
#include "config/config.h"
#include "select/algorithm.h"
#include "select/turns.h"

enum purpose { PURPOSE_OFFSET = 1, PURPOSE_SKIP = 2, PURPOSE_CLIENT = 3, PURPOSE_TOKEN = 4 };

#define EMPTY UINT32_MAX

/* Maximum number of entries that one selection tries: enough if most backends are down, and few enough that a full pool costs little. */
#define LOOKS_MAX 64

/* A backend with its permutation of the table: place, place + skip, place + 2 skip, ... modulo the (prime) size. */
struct candidate {
    const char *name;
    uint32_t position; /* among the configured backends */
    uint32_t weight;
    uint32_t place; /* the next entry in its permutation */
    uint32_t skip;  /* 1 to size - 1 */
};

static int by_name(const void *a, const void *b)
{
    const struct candidate *first = a, *second = b;
    return strcmp(first->name, second->name);
}

/* Lists the backends that are backups, or those that are not. Returns their number. */
static uint32_t candidates_init(struct candidate *candidates, const struct config_pool *config, bool backups, uint64_t seed)
{
    uint32_t size = config->settings.hash_table_size;
    uint32_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++) {
        const char *name = config->backends[i].name;
        size_t length = strlen(name);

        if (config->backends[i].settings.backup != backups)
            continue;
        candidates[count++] = (struct candidate){
            .name = name,
            .position = (uint32_t)i,
            .weight = config->backends[i].settings.weight,
            .place = (uint32_t)(hash_bytes(name, length, seed, PURPOSE_OFFSET) % size),
            .skip = (uint32_t)(hash_bytes(name, length, seed, PURPOSE_SKIP) % (size - 1) + 1),
        };
    }
    qsort(candidates, count, sizeof(*candidates), by_name);
    return count;
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
        table[candidate->place] = candidate->position;
        turns_take(turns, turn, false);
    }
}

/* Builds the table of the backups, or of the other backends; there must be at least one. Returns 0 or -ENOMEM. */
static int table_build(uint32_t *table, const struct config_pool *config, bool backups, uint64_t seed)
{
    uint32_t size = config->settings.hash_table_size;
    uint32_t count;
    int result = -ENOMEM;
    struct turns *turns = NULL;
    uint32_t *weights = calloc(config->backend_count, sizeof(*weights));
    struct candidate *candidates = calloc(config->backend_count, sizeof(*candidates));

    if (!weights || !candidates)
        goto fail;
    count = candidates_init(candidates, config, backups, seed);
    for (uint32_t i = 0; i < count; i++)
        weights[i] = candidates[i].weight;
    turns = turns_new(weights, count);
    if (!turns)
        goto fail;
    table_fill(table, size, candidates, turns);
    result = 0;
fail:
    turns_free(turns);
    free(candidates);
    free(weights);
    return result;
}

static int consistent_hash_prepare_set(const struct config_pool *config, uint64_t seed, struct snapshot_set **result)
{
    size_t size = config->settings.hash_table_size;
    size_t backups = 0;
    struct snapshot_set *set;
    uint32_t *table;

    assert(size >= 2 && size < UINT32_C(1) << 31); /* so that place + skip fits */
    for (size_t i = 0; i < config->backend_count; i++)
        backups += config->backends[i].settings.backup;
    set = malloc(sizeof(*set) + 2 * size * sizeof(set->entries[0]));
    if (!set)
        return -ENOMEM;
    *set = (struct snapshot_set){.maglev_count = (uint32_t)size};
    table = set->entries;
    if (backups < config->backend_count) {
        if (table_build(table, config, false, seed) < 0)
            goto fail;
        set->primaries = table;
        table += size;
    }
    if (backups > 0) {
        if (table_build(table, config, true, seed) < 0)
            goto fail;
        set->backups = table;
    }
    *result = set; /* the caller owns it now */
    return 0;
fail:
    free(set);
    return -ENOMEM;
}

static int consistent_hash_prepare(struct snapshot_pool *pool)
{
    size_t count = pool->pool->backend_count;
    uint32_t *index = malloc(count * sizeof(*index));

    if (!index)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        index[i] = SNAPSHOT_NOT_USABLE;
    for (uint32_t i = 0; i < pool->usable_count; i++)
        index[pool->usable[i].position] = i;
    pool->usable_index = index; /* the snapshot owns it now */
    pool->maglev = pool->uses_backups ? pool->set->backups : pool->set->primaries;
    pool->maglev_count = pool->set->maglev_count;
    return 0;
}

/* Clears all but the first `bits` bits. */
static void mask_bytes(unsigned char *bytes, size_t length, unsigned bits)
{
    for (size_t i = 0; i < length; i++, bits -= bits < 8 ? bits : 8)
        if (bits < 8)
            bytes[i] &= (unsigned char)(0xff00u >> bits);
}

/* Hashes the client's address: a byte for the family, the address cut to the pool's prefix and, if hash_key says so, the port in network byte order. An IPv4
 * address mapped into IPv6 counts as IPv4. Clients without an IP address all have the same hash. */
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

static uint64_t pair_hash(const struct snapshot_pool *pool, uint32_t i, uint64_t client)
{
    const char *name = pool->usable[i].backend->name;

    return hash_bytes(name, strlen(name), pool->hash_seed, client);
}

/* Whether backend `i` of `usable` serves the client although its weight may be reduced. */
static bool keeps_client(const struct snapshot_pool *pool, uint32_t i, uint64_t client)
{
    uint16_t kept = pool->usable[i].kept;

    return kept == UINT16_MAX || (uint16_t)pair_hash(pool, i, client) <= kept; /* pick_earliest() uses the other bits */
}

/* Weighted rendezvous hashing among the open backends. The name of a backend and the client are hashed to a time, which is exponentially distributed with the
 * weight as its rate. The earliest time wins. */
static struct backend *pick_earliest(const struct snapshot_pool *pool, struct select_request *request, uint64_t client)
{
    double earliest = 0;
    uint32_t chosen = pool->usable_count;

    for (uint32_t i = 0; i < pool->usable_count; i++) {
        double fraction, time;

        if (!algorithm_open(pool, i, request))
            continue;
        fraction = ((double)(pair_hash(pool, i, client) >> 16) + 0.5) * 0x1p-48; /* never 0 or 1 */
        time = -log(fraction) / pool->usable[i].weight;
        if (chosen == pool->usable_count || time < earliest) {
            earliest = time;
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
    bool by_token = request->token && pool->settings->hash_key == CONFIG_HASH_QUIC_CID;
    uint64_t client = by_token ? hash_bytes(request->token, request->token_bytes, pool->hash_seed, PURPOSE_TOKEN) : client_hash(pool, request->client);
    uint64_t place = client, draws = client;

    for (int look = 0; look < LOOKS_MAX; look++) {
        uint32_t i = pool->usable_index[pool->maglev[place % pool->maglev_count]];
        struct backend *backend = i == SNAPSHOT_NOT_USABLE || !keeps_client(pool, i, client) ? NULL : algorithm_take(pool, i, request);

        if (backend)
            return backend;
        place = random_next(&draws);
    }
    /* Nearly all backends are down or full, or the open ones have no entry, because the table is smaller than the pool or their weights are too small. */
    return pick_earliest(pool, request, client);
}

const struct algorithm algorithm_consistent_hash = {
    .prepare_set = consistent_hash_prepare_set,
    .prepare = consistent_hash_prepare,
    .pick = consistent_hash_pick,
};
