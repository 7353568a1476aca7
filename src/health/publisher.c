/* publisher.c: the only writer of the table once the health thread runs: coalesces publications, logs state changes.
 * Runs in the health thread. */
#include "health/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "log/log.h"

#define NS_PER_MS UINT64_C(1000000)

enum { COALESCE_MS = 10, RETRY_MS = 100, RECLAIM_MS = 100 };

int publisher_init(struct publisher *publisher, const struct config *config, struct table *table)
{
    *publisher = (struct publisher){ .config = config, .table = table, .reclaim_at_ns = UINT64_MAX };
    publisher->up_counts = calloc(config->pool_count, sizeof(*publisher->up_counts));
    if (publisher->up_counts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < config->pool_count; i++)
        for (size_t k = 0; k < config->pools[i].backend_count; k++)
            publisher->up_counts[i] += table_is_up(table, i, k);
    return 0;
}

void publisher_deinit(struct publisher *publisher)
{
    free(publisher->up_counts);
    publisher->up_counts = NULL;
}

/* "10.0.0.12:8001", or with where it is probed when that is somewhere else. */
static const char *describe(char *out, size_t size, const struct config_backend *backend, const struct addr *probed)
{
    char own[ADDR_TEXT_BYTES], other[ADDR_TEXT_BYTES];

    addr_format(&backend->addr, own, sizeof own);
    if (addr_equal(&backend->addr, probed))
        snprintf(out, size, "%s", own);
    else
        snprintf(out, size, "%s, probed at %s", own, addr_format(probed, other, sizeof other));
    return out;
}

static void log_change(const struct publisher *publisher, const struct publisher_change *change)
{
    const struct config_pool *pool = &publisher->config->pools[change->pool];
    const struct config_backend *backend = &pool->backends[change->backend];
    size_t up = publisher->up_counts[change->pool];
    char where[2 * ADDR_TEXT_BYTES + 16];

    describe(where, sizeof where, backend, change->probed);
    if (change->up)
        log_info("pool %s: backend %s (%s) is UP after %u good probe%s; %zu of %zu usable", pool->name, backend->name,
                 where, pool->settings.rise, pool->settings.rise == 1 ? "" : "s", up, pool->backend_count);
    else
        log_warn("pool %s: backend %s (%s) is DOWN: %s (%u of %u probes failed); %zu of %zu usable", pool->name,
                 backend->name, where, change->reason, pool->settings.fall, pool->settings.fall, up, pool->backend_count);
    if (up == 0)
        log_error("pool %s: no backend is usable: new connections are reset until one is up", pool->name);
}

void publisher_change(struct publisher *publisher, const struct publisher_change *change, uint64_t now_ns)
{
    table_set_up(publisher->table, change->pool, change->backend, change->up);
    publisher->up_counts[change->pool] += change->up ? 1 : (size_t)-1;
    log_change(publisher, change);
    if (publisher->pending)
        return;
    publisher->pending = true;
    publisher->publish_at_ns = publisher->published_ns + COALESCE_MS * NS_PER_MS;
    if (publisher->publish_at_ns < now_ns)
        publisher->publish_at_ns = now_ns;
}

static void publish(struct publisher *publisher, uint64_t now_ns)
{
    if (table_publish(publisher->table) < 0) { /* -ENOMEM: workers go on with what they have */
        if (!publisher->complained)
            log_error("out of memory: a change of backends takes effect later");
        publisher->complained = true;
        publisher->publish_at_ns = now_ns + RETRY_MS * NS_PER_MS;
        return;
    }
    publisher->complained = false;
    publisher->pending = false;
    publisher->published_ns = now_ns;
}

void publisher_run(struct publisher *publisher, uint64_t now_ns)
{
    if (publisher->pending && now_ns >= publisher->publish_at_ns)
        publish(publisher, now_ns);
    else if (now_ns >= publisher->reclaim_at_ns)
        table_reclaim(publisher->table);
    else
        return;
    publisher->reclaim_at_ns = table_retired(publisher->table) > 0 ? now_ns + RECLAIM_MS * NS_PER_MS : UINT64_MAX;
}

uint64_t publisher_wake_ns(const struct publisher *publisher)
{
    if (publisher->pending && publisher->publish_at_ns < publisher->reclaim_at_ns)
        return publisher->publish_at_ns;
    return publisher->reclaim_at_ns;
}
