/* health/publisher.c: the only writer of the table after the health thread has started: coalesces publications and logs state changes. Health thread. */
#include "health/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/duration.h"
#include "health/probe.h"
#include "health/tell.h"
#include "log/log.h"
#include "table/report.h"

#define NS_PER_MS UINT64_C(1000000)

enum { COALESCE_MS = 10, RETRY_MS = 100, RECLAIM_MS = 100 };

/* ---- since when ---- */

/* Notes which backends are in another state, as reports show it, since the last call. `context` is the time. */
static void note_states(struct pool *pool, void *context)
{
    for (struct list *link = pool->all_backends.next; link != &pool->all_backends; link = link->next) {
        struct backend *backend = container_of(link, struct backend, link);
        enum report_state state = report_state_of(backend_state(backend), backend->leaving);

        if (backend->state_since_ns != 0 && backend->state_noted == state)
            continue;
        backend->state_noted = (uint8_t)state;
        backend->state_since_ns = *(const uint64_t *)context;
    }
}

void publisher_init(struct publisher *publisher, struct table *table, const struct health_workers *workers, uint64_t now_ns)
{
    *publisher = (struct publisher){.table = table, .advance_at_ns = table_advance(table, now_ns), .reclaim_at_ns = UINT64_MAX};
    for (size_t i = 0; i < table_pool_count(table); i++)
        table_pool(table, i)->service_logged = table_pool(table, i)->service.rule; /* the start is no change */
    table_each_pool(table, note_states, &now_ns);
    lifecycle_init(&publisher->lifecycle, table, workers);
}

void publisher_deinit(struct publisher *publisher)
{
    lifecycle_deinit(&publisher->lifecycle);
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

/* Writes how long its slow start lasts, or nothing. */
static const char *describe_start(char *out, size_t size, const struct backend *backend)
{
    char duration[DURATION_TEXT_BYTES];

    out[0] = '\0';
    if (backend->ramp_share < CAPACITY_WHOLE) {
        duration_format(pool_settings(backend->pool)->slow_start_ms, duration, sizeof(duration));
        snprintf(out, size, ", slow start for %s", duration);
    }
    return out;
}

static bool is_down(enum backend_probe_state state)
{
    return state == BACKEND_PROBE_DOWN || state == BACKEND_PROBE_TIMED_OUT;
}

/* Writes what has happened to the backend and why, as the end of "backend b0 (10.0.0.12:8001) is". */
static void describe_change(char *out, size_t size, const struct publisher_change *change)
{
    const struct pool *pool = change->backend->pool;
    const struct pool_settings *settings = pool_settings(pool);
    unsigned rise = settings->rise, fall = settings->fall;
    char start[20 + DURATION_TEXT_BYTES];

    if (change->to == BACKEND_PROBE_BUSY)
        snprintf(out, size, "BUSY: %s, but %s; weight halved", change->reason, change->heard ? "its sessions move bytes" : "it answered the probe before");
    else if (change->to == BACKEND_PROBE_UP && change->from == BACKEND_PROBE_BUSY)
        snprintf(out, size, "UP again after %u good probe%s; full weight", rise, rise == 1 ? "" : "s");
    else if (change->to == BACKEND_PROBE_UP)
        snprintf(out, size, "UP after %u good probe%s%s; %zu of %zu usable", rise, rise == 1 ? "" : "s",
                 describe_start(start, sizeof(start), change->backend), pool->usable, pool->backend_count);
    else if (change->to == BACKEND_PROBE_TIMED_OUT)
        snprintf(out, size, "DOWN: %s (%u of %u probes timed out, and its sessions moved no bytes); %zu of %zu usable", change->reason, fall, fall,
                 pool->usable, pool->backend_count);
    else
        snprintf(out, size, "DOWN: %s (%u of %u probes failed); %zu of %zu usable", change->reason, fall, fall, pool->usable, pool->backend_count);
}

static void log_change(const struct publisher_change *change)
{
    const struct backend *backend = change->backend;
    char where[2 * ADDR_TEXT_BYTES + 16], what[PROBE_REASON_BYTES + 128];

    describe_address(where, sizeof(where), backend, change->probed);
    if (is_down(change->from) && is_down(change->to)) {
        log_debug("pool %s: backend %s (%s) is still down: %s", backend->pool->name, backend->name, where, change->reason);
        return;
    }
    describe_change(what, sizeof(what), change);
    tell_of_backend(change->to == BACKEND_PROBE_UP ? LOG_INFO : LOG_WARN, backend, "(%s) is %s", where, what);
}

/* ---- who takes new sessions ---- */

static void log_service(const struct pool *pool)
{
    const struct service *service = &pool->service;

    switch (service->rule) {
    case SERVICE_PRIMARIES:
        if (pool->service_logged != SERVICE_NONE) /* otherwise the line about the backend says it */
            tell_of_pool(LOG_INFO, pool, "only usable primaries take new sessions again; %zu of %zu usable", pool->usable, pool->backend_count);
        break;
    case SERVICE_BACKUPS:
        tell_of_pool(LOG_WARN, pool, "no primary is usable: backups take new sessions; %zu of %zu usable", pool->usable, pool->backend_count);
        break;
    case SERVICE_PANIC:
        tell_of_pool(LOG_ERROR, pool, "PANIC: %zu of %zu %s usable, less than panic_threshold = %u%%: all %zu take new sessions, whatever their health",
                     service->usable, service->eligible, service->uses_backups ? "backups" : "primaries", pool_settings(pool)->panic_threshold_percent,
                     service->takers);
        break;
    case SERVICE_TIMED_OUT:
        tell_of_pool(LOG_ERROR, pool, "no backend is usable: those whose probes only timed out take new sessions (%zu)", service->takers);
        break;
    case SERVICE_FAIL_OPEN:
        tell_of_pool(LOG_ERROR, pool, "no backend is usable: all %zu take new sessions, whatever their health (all_down = fail_open)", service->takers);
        break;
    case SERVICE_NONE:
        tell_of_pool(LOG_ERROR, pool, "no backend is usable: new connections are reset until one is up");
        break;
    }
}

/* Logs each pool for which another rule holds since the last call. */
static void log_services(const struct table *table)
{
    for (size_t i = 0; i < table_pool_count(table); i++) {
        struct pool *pool = table_pool(table, i);

        if (pool->service.rule == pool->service_logged)
            continue;
        log_service(pool);
        pool->service_logged = pool->service.rule;
    }
}

/* ---- publications ---- */

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
    table_set_state(publisher->table, change->backend, BACKEND_PROBE, change->to);
    publisher->advance_at_ns = table_advance(publisher->table, now_ns);
    if (change->to != BACKEND_PROBE_UP)
        backend_set_reason(change->backend, BACKEND_REASON_PROBE, change->reason);
    log_change(change);
    plan_publication(publisher, now_ns);
}

void publisher_set(struct publisher *publisher, struct backend *backend, enum backend_source source, unsigned value, uint64_t now_ns)
{
    table_set_state(publisher->table, backend, source, value);
    plan_publication(publisher, now_ns);
}

void publisher_set_weight(struct publisher *publisher, struct backend *backend, struct capacity_weight weight, uint64_t now_ns)
{
    table_set_agent_weight(publisher->table, backend, weight);
    plan_publication(publisher, now_ns);
}

void publisher_applied(struct publisher *publisher, uint64_t now_ns)
{
    plan_publication(publisher, now_ns); /* if it was already published, this only reclaims memory */
}

static void publish_table(struct publisher *publisher, uint64_t now_ns)
{
    publisher->advance_at_ns = table_advance(publisher->table, now_ns);
    if (table_publish(publisher->table) < 0) { /* -ENOMEM: workers continue with the old snapshot */
        if (!publisher->complained)
            log_error("out of memory: workers do not see the last change of backend states yet; retrying");
        publisher->complained = true;
        publisher->pending = true;
        publisher->publish_at_ns = now_ns + RETRY_MS * NS_PER_MS;
        return;
    }
    publisher->complained = false;
    publisher->pending = false;
    publisher->published_ns = now_ns;
    log_services(publisher->table);
}

/* When to publish next: the next step of a slow start waits for a change that is pending. */
static uint64_t publication_ns(const struct publisher *publisher)
{
    return publisher->pending ? publisher->publish_at_ns : publisher->advance_at_ns;
}

void publisher_run(struct publisher *publisher, uint64_t now_ns)
{
    bool publishes = now_ns >= publication_ns(publisher);

    if (publishes) {
        publish_table(publisher, now_ns);
        table_each_pool(publisher->table, note_states, &now_ns);
    }
    if (publishes || now_ns >= publisher->lifecycle.wake_ns)
        lifecycle_review(&publisher->lifecycle, now_ns);
    if (!publishes && now_ns < publisher->reclaim_at_ns)
        return;
    table_reclaim(publisher->table);
    publisher->reclaim_at_ns = table_retired(publisher->table) > 0 ? now_ns + RECLAIM_MS * NS_PER_MS : UINT64_MAX;
}

uint64_t publisher_wake_ns(const struct publisher *publisher)
{
    uint64_t wake_ns = publication_ns(publisher);

    if (publisher->lifecycle.wake_ns < wake_ns)
        wake_ns = publisher->lifecycle.wake_ns;
    return publisher->reclaim_at_ns < wake_ns ? publisher->reclaim_at_ns : wake_ns;
}
