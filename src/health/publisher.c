/* health/publisher.c: the only writer of the table after the health thread has started: coalesces publications and logs state changes. Health thread. */
#include "health/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "log/log.h"

#define NS_PER_MS UINT64_C(1000000)

enum { COALESCE_MS = 10, RETRY_MS = 100, RECLAIM_MS = 100 };

void publisher_init(struct publisher *publisher, struct table *table)
{
    *publisher = (struct publisher){.table = table, .reclaim_at_ns = UINT64_MAX};
}

/* Writes "10.0.0.12:8001", followed by the probed address if that is different. */
static const char *describe_address(char *out, size_t size, const struct backend *backend, const struct addr *probed)
{
    char own[ADDR_TEXT_BYTES], other[ADDR_TEXT_BYTES];

    addr_format(&backend->addr, own, sizeof(own));
    if (addr_equal(&backend->addr, probed))
        snprintf(out, size, "%s", own);
    else
        snprintf(out, size, "%s, probed at %s", own, addr_format(probed, other, sizeof(other)));
    return out;
}

static void log_change(const struct publisher_change *change)
{
    const struct backend *backend = change->backend;
    const struct pool *pool = backend->pool;
    const struct pool_settings *settings = pool_settings(pool);
    size_t usable = pool->usable;
    char where[2 * ADDR_TEXT_BYTES + 16];

    describe_address(where, sizeof(where), backend, change->probed);
    if (change->up)
        log_info("pool %s: backend %s (%s) is UP after %u good probe%s; %zu of %zu usable", pool->name, backend->name,
                 where, settings->rise, settings->rise == 1 ? "" : "s", usable, pool->backend_count);
    else
        log_warn("pool %s: backend %s (%s) is DOWN: %s (%u of %u probes failed); %zu of %zu usable", pool->name,
                 backend->name, where, change->reason, settings->fall, settings->fall, usable, pool->backend_count);
    if (usable == 0)
        log_error("pool %s: no backend is usable: new connections are reset until one is up", pool->name);
}

static void plan_publication(struct publisher *publisher, uint64_t now_ns)
{
    if (publisher->pending)
        return;
    publisher->pending = true;
    publisher->publish_at_ns = publisher->published_ns + COALESCE_MS * NS_PER_MS;
    if (publisher->publish_at_ns < now_ns)
        publisher->publish_at_ns = now_ns;
}

void publisher_change(struct publisher *publisher, const struct publisher_change *change, uint64_t now_ns)
{
    table_set_state(publisher->table, change->backend, BACKEND_PROBE, change->up ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN);
    log_change(change);
    plan_publication(publisher, now_ns);
}

void publisher_set(struct publisher *publisher, struct backend *backend, enum backend_source source, unsigned value, uint64_t now_ns)
{
    table_set_state(publisher->table, backend, source, value);
    plan_publication(publisher, now_ns);
}

void publisher_applied(struct publisher *publisher, uint64_t now_ns)
{
    plan_publication(publisher, now_ns); /* if it was already published, this only reclaims memory */
}

static void publish_table(struct publisher *publisher, uint64_t now_ns)
{
    if (table_publish(publisher->table) < 0) { /* -ENOMEM: workers continue with the old snapshot */
        if (!publisher->complained)
            log_error("out of memory: workers do not see the last change of backend states yet; retrying");
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
        publish_table(publisher, now_ns);
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
