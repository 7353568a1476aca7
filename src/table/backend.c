/* table/backend.c: the live object of one backend. Any thread, as the header says; owned by the table. */
#include "table/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "table/pool.h"

#define REFUSAL_NS ((uint64_t)1000000000) /* how long a refusal counts; then one datagram finds out whether the backend is back */

enum { ERRNO_BITS = 16 }; /* of last_failure */

struct backend *backend_new(struct pool *pool, const struct config_backend *config, uint32_t id)
{
    size_t name_bytes = strlen(config->name) + 1;
    size_t bytes = (sizeof(struct backend) + name_bytes + 63) / 64 * 64;
    struct backend *backend = aligned_alloc(_Alignof(struct backend), bytes);
    struct backend_settings *settings = backend_settings_copy(&config->settings);

    if (!backend || !settings) {
        free(backend);
        free(settings);
        return NULL;
    }
    memset(backend, 0, bytes);
    backend->name = memcpy(backend + 1, config->name, name_bytes);
    list_append(&pool->all_backends, &backend->link);
    list_init(&backend->ramping);
    backend->ramp_share = CAPACITY_WHOLE;
    backend->pool = pool;
    backend->addr = config->addr;
    backend->id = id;
    atomic_init(&backend->settings, settings);
    backend_update_limit(backend);
    return backend;
}

void backend_free(struct backend *backend)
{
    struct report_traffic traffic;
    struct report_events events;

    if (!backend)
        return;
    assert(backend_is_unused(backend));
    backend_report(backend, &traffic, &events);
    report_add_traffic(&backend->pool->gone, &traffic);
    report_add_events(&backend->pool->gone_events, &events);
    list_remove(&backend->link);
    free((void *)(uintptr_t)backend_settings(backend));
    for (int i = 0; i < BACKEND_REASONS; i++)
        free(backend->reasons[i]);
    free(backend);
}

const struct backend_settings *backend_replace_settings(struct backend *backend, const struct backend_settings *settings)
{
    const struct backend_settings *old = backend_settings(backend);

    atomic_store_explicit(&backend->settings, settings, memory_order_release);
    backend_update_limit(backend);
    return old;
}

void backend_update_limit(struct backend *backend)
{
    atomic_store_explicit(&backend->max_connections, capacity_limit(backend), memory_order_relaxed);
}

bool backend_set_state(struct backend *backend, enum backend_source source, unsigned value)
{
    uint32_t old = atomic_load_explicit(&backend->state, memory_order_relaxed);
    uint32_t new = backend_state_with(old, source, value);

    atomic_store_explicit(&backend->state, new, memory_order_relaxed);
    return backend_state_standing(old) != backend_state_standing(new);
}

uint32_t backend_state(const struct backend *backend)
{
    return atomic_load_explicit(&backend->state, memory_order_relaxed);
}

enum backend_standing backend_standing(const struct backend *backend)
{
    return backend_state_standing(backend_state(backend));
}

void backend_set_reason(struct backend *backend, enum backend_reason source, const char *text)
{
    free(backend->reasons[source]);
    backend->reasons[source] = strdup(text);
}

void backend_set_eviction(struct backend *backend, enum backend_eviction eviction)
{
    if (backend_eviction(backend) == eviction)
        return;
    atomic_store_explicit(&backend->evicted, 0, memory_order_relaxed); /* a worker that still follows the old reason may count a session for the new one */
    atomic_store_explicit(&backend->eviction, eviction, memory_order_relaxed);
}

enum backend_eviction backend_eviction(const struct backend *backend)
{
    return (enum backend_eviction)atomic_load_explicit(&backend->eviction, memory_order_relaxed);
}

void backend_note_evicted(struct backend *backend)
{
    atomic_fetch_add_explicit(&backend->evicted, 1, memory_order_relaxed);
    stats_add(&backend->stats.evicted, 1);
}

uint32_t backend_evicted(const struct backend *backend)
{
    return atomic_load_explicit(&backend->evicted, memory_order_relaxed);
}

void backend_set_serves_anyway(struct backend *backend, bool serves)
{
    if (backend_serves_anyway(backend) != serves) /* seldom, so that workers' caches keep the line */
        atomic_store_explicit(&backend->serves_anyway, serves, memory_order_relaxed);
}

bool backend_serves_anyway(const struct backend *backend)
{
    return atomic_load_explicit(&backend->serves_anyway, memory_order_relaxed);
}

bool backend_serves(const struct backend *backend)
{
    return backend_standing(backend) == BACKEND_USABLE || backend_serves_anyway(backend);
}

void backend_set_newcomer(struct backend *backend, bool is_newcomer)
{
    atomic_store_explicit(&backend->newcomer_left, is_newcomer ? BACKEND_NEWCOMER_SESSIONS : 0, memory_order_relaxed);
}

void backend_count_newcomer(struct backend *backend)
{
    uint32_t left = atomic_load_explicit(&backend->newcomer_left, memory_order_relaxed);

    while (left > 0 && !atomic_compare_exchange_weak_explicit(&backend->newcomer_left, &left, left - 1, memory_order_relaxed, memory_order_relaxed))
        ;
}

bool backend_reserve(struct backend *backend)
{
    uint32_t taken = atomic_load_explicit(&backend->in_flight, memory_order_relaxed), max;

    do {
        max = atomic_load_explicit(&backend->max_connections, memory_order_relaxed);
        if (max != 0 && taken >= max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&backend->in_flight, &taken, taken + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void backend_release(struct backend *backend)
{
    uint32_t before = atomic_fetch_sub_explicit(&backend->in_flight, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

void backend_hold(struct backend *backend)
{
    atomic_fetch_add_explicit(&backend->references, 1, memory_order_relaxed);
}

void backend_drop(struct backend *backend)
{
    uint32_t before = atomic_fetch_sub_explicit(&backend->references, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

uint32_t backend_in_flight(const struct backend *backend)
{
    return atomic_load_explicit(&backend->in_flight, memory_order_relaxed);
}

void backend_report(const struct backend *backend, struct report_traffic *traffic, struct report_events *events)
{
    stats_report_traffic(&backend->stats.traffic, traffic);
    stats_report_events(&backend->stats, events);
    report_add_events(events, &backend->events);
}

bool backend_full(const struct backend *backend)
{
    uint32_t max = atomic_load_explicit(&backend->max_connections, memory_order_relaxed);

    return max != 0 && backend_in_flight(backend) >= max;
}

bool backend_is_unused(const struct backend *backend)
{
    return atomic_load_explicit(&backend->in_flight, memory_order_acquire) == 0 && atomic_load_explicit(&backend->references, memory_order_acquire) == 0;
}

uint64_t backend_heard_ns(const struct backend *backend)
{
    return (uint64_t)atomic_load_explicit(&backend->heard_tick, memory_order_relaxed) << BACKEND_TICK_BITS;
}

void backend_note_refusal(struct backend *backend, uint64_t now_ns)
{
    atomic_store_explicit(&backend->refused_ns, now_ns, memory_order_relaxed);
}

void backend_note_reply(struct backend *backend)
{
    if (atomic_load_explicit(&backend->refused_ns, memory_order_relaxed) != 0) /* seldom, so replies do not write to a shared cache line */
        atomic_store_explicit(&backend->refused_ns, 0, memory_order_relaxed);
}

bool backend_note_failure(struct backend *backend, enum backend_failure what, int error)
{
    atomic_store_explicit(&backend->last_failure, (uint32_t)what << ERRNO_BITS | (uint32_t)error, memory_order_relaxed);
    atomic_fetch_add_explicit(&backend->failures, 1, memory_order_relaxed);
    return pool_raise_alarm(backend->pool);
}

void backend_note_success(struct backend *backend)
{
    if (atomic_load_explicit(&backend->failures, memory_order_relaxed) != 0) /* seldom, so sessions do not write to a shared cache line */
        atomic_store_explicit(&backend->failures, 0, memory_order_relaxed);
}

uint32_t backend_failures(const struct backend *backend)
{
    return atomic_load_explicit(&backend->failures, memory_order_relaxed);
}

void backend_set_failures(struct backend *backend, uint32_t failures)
{
    atomic_store_explicit(&backend->failures, failures, memory_order_relaxed);
}

enum backend_failure backend_last_failure(const struct backend *backend, int *error)
{
    uint32_t last = atomic_load_explicit(&backend->last_failure, memory_order_relaxed);

    *error = (int)(last & ((1u << ERRNO_BITS) - 1));
    return (enum backend_failure)(last >> ERRNO_BITS);
}

bool backend_refuses(const struct backend *backend, uint64_t now_ns)
{
    uint64_t refused_ns = atomic_load_explicit(&backend->refused_ns, memory_order_relaxed);

    return refused_ns != 0 && now_ns < refused_ns + REFUSAL_NS; /* another worker's time may be later than this one's */
}
