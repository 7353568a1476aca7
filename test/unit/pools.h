/* test/unit/pools.h: one pool with its live objects, built without a configuration file, for the tests of the table and the selectors. Test thread only. */
#ifndef TEST_UNIT_POOLS_H
#define TEST_UNIT_POOLS_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "config/config.h"
#include "select/selector.h"
#include "table/epoch.h"
#include "table/table.h"

struct pools {
    struct config config;
    struct config_pool pool;
    struct config_backend *backends;
    char (*names)[24];
    struct epoch *epoch;
    struct table *table;
    const struct snapshot_pool *snapshot; /* of the last publication by pools_open(), pools_publish() or pools_apply() */
    uint64_t random;
    struct select_request request; /* no backend tried yet; the client is 10.0.0.1:1000 */
    struct addr client;
};

static inline struct addr pools_addr(const char *ip, uint16_t port)
{
    struct addr addr = { 0 };
    if (inet_pton(AF_INET, ip, &addr.in.sin_addr) == 1) {
        addr.length = sizeof(addr.in);
        addr.in.sin_family = AF_INET;
        addr.in.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, ip, &addr.in6.sin6_addr) == 1) {
        addr.length = sizeof(addr.in6);
        addr.in6.sin6_family = AF_INET6;
        addr.in6.sin6_port = htons(port);
    } else {
        abort();
    }
    return addr;
}

/* Sets up backends b0, b1, ... with weight 1 and no limits, all up. Change what a test needs, then call pools_open(). */
static inline void pools_init(struct pools *p, enum config_balance balance, size_t count)
{
    memset(p, 0, sizeof(*p));
    p->backends = calloc(count, sizeof(*p->backends));
    p->names = calloc(count, sizeof(*p->names));
    if (!p->backends || !p->names)
        abort();
    for (size_t i = 0; i < count; i++) {
        snprintf(p->names[i], sizeof(p->names[i]), "b%zu", i);
        p->backends[i] = (struct config_backend){
            .name = p->names[i], .addr = pools_addr("127.0.0.1", (uint16_t)(1 + i % 65535)), .settings.weight = 1, .settings.drain_timeout_ms = UINT32_MAX,
        };
    }
    p->pool = (struct config_pool){
        .name = "p", .backends = p->backends, .backend_count = count, .settings.balance = balance, .settings.hash_prefix_v4 = 32,
        .settings.hash_prefix_v6 = 128, .settings.hash_table_size = 65537, .settings.check_initial_up = true,
    };
    p->config = (struct config){ .workers = 1, .seed = 42, .pools = &p->pool, .pool_count = 1 };
    p->client = pools_addr("10.0.0.1", 1000);
    p->request = (struct select_request){ .client = &p->client, .random = &p->random };
}

static inline void pools_publish(struct pools *p)
{
    if (table_publish(p->table))
        abort();
    p->snapshot = table_load(p->table)->pools[0];
}

static inline void pools_open(struct pools *p)
{
    p->epoch = epoch_new(1);
    p->table = p->epoch ? table_new(p->epoch, &selector_prepare) : NULL;
    if (!p->table || table_apply(p->table, &p->config, NULL) < 0)
        abort();
    p->snapshot = table_load(p->table)->pools[0];
}

/* Applies the configuration again, after the caller has changed it. */
static inline void pools_apply(struct pools *p)
{
    if (table_apply(p->table, &p->config, NULL) < 0)
        abort();
    table_reclaim(p->table);
    p->snapshot = table_load(p->table)->pools[0];
}

static inline struct backend *pools_backend(const struct pools *p, size_t i)
{
    return table_backend(p->table, 0, i);
}

static inline void pools_set_up(struct pools *p, size_t i, bool up)
{
    table_set_state(p->table, pools_backend(p, i), BACKEND_PROBE, up ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN);
}

static inline struct backend *pools_pick(struct pools *p)
{
    return selector_pick(p->snapshot, &p->request);
}

/* Releases every slot and frees everything. */
static inline void pools_close(struct pools *p)
{
    for (size_t i = 0; i < p->pool.backend_count; i++)
        while (backend_in_flight(pools_backend(p, i)) > 0)
            backend_release(pools_backend(p, i));
    table_free(p->table);
    epoch_free(p->epoch);
    free(p->backends);
    free(p->names);
}

#endif
