/* health/lifecycle.c: follows the drains and the maintenance of backends, and decides whose sessions are closed. Health thread; holds a reference to each
 * backend that drains, so that the end of its drain is logged before it is freed. */
#include "health/lifecycle.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/duration.h"
#include "config/settings.h"
#include "health/health.h"
#include "health/tell.h"
#include "table/table.h"

#define NS_PER_MS UINT64_C(1000000)

enum { REPEAT_MS = 500 }; /* interval of the reviews, and of the orders to workers, while sessions are left */

/* SERVING includes being down: probes log that. */
enum phase { PHASE_SERVING, PHASE_DRAINING, PHASE_DRAINED, PHASE_MAINTENANCE };

struct review {
    struct lifecycle *lifecycle;
    uint64_t now_ns;
    bool is_primary_usable; /* of the pool under review: a backend that is not a backup is usable */
    bool evicts;            /* sessions are left that are to be closed */
};

/* ---- log ---- */

static const char *plural_of(uint32_t count)
{
    return count == 1 ? "" : "s";
}

/* Writes how long something has lasted, in tenths of a second. */
static const char *format_lasted(char *out, size_t size, uint64_t since_ns, uint64_t now_ns)
{
    snprintf(out, size, "%.1f s", (double)(now_ns - since_ns) / 1e9);
    return out;
}

static const char *format_rate(char *out, size_t size, const struct pool_settings *settings)
{
    if (settings->close_rate == 0)
        snprintf(out, size, "as fast as possible");
    else
        snprintf(out, size, "at most %" PRIu32 " a second", settings->close_rate);
    return out;
}

/* What is left of the pool: "; 2 of 3 usable". */
static const char *format_usable(char *out, size_t size, const struct backend *backend)
{
    out[0] = '\0';
    if (!backend->leaving) /* its pool may have left, too */
        snprintf(out, size, "; %zu of %zu usable", backend->pool->usable, backend->pool->backend_count);
    return out;
}

static void log_drain(const struct backend *backend, uint32_t sessions)
{
    uint32_t timeout_ms = backend_settings(backend)->drain_timeout_ms;
    char timeout[DURATION_TEXT_BYTES], until[DURATION_TEXT_BYTES + 64] = "", usable[64];

    if (sessions > 0 && timeout_ms != UINT32_MAX)
        snprintf(until, sizeof(until), ", and those left after %s are closed", duration_format(timeout_ms, timeout, sizeof(timeout)));
    else if (sessions > 0)
        snprintf(until, sizeof(until), ", and may continue (drain_timeout = off)");
    tell_of_backend(LOG_INFO, backend, "drains%s: %" PRIu32 " session%s open%s%s",
                    backend->leaving ? ", because it has left the configuration" : "", sessions, sessions == 1 ? " is" : "s are", until,
                    format_usable(usable, sizeof(usable), backend));
}

static void log_drained(const struct backend *backend, uint64_t now_ns)
{
    uint32_t evicted = backend_evicted(backend);
    char lasted[32], closed[48] = "";

    if (backend->life.evicts)
        snprintf(closed, sizeof(closed), "; %" PRIu32 " session%s closed", evicted, evicted == 1 ? " was" : "s were");
    tell_of_backend(LOG_INFO, backend, "has drained in %s%s",
                    format_lasted(lasted, sizeof(lasted), backend->life.draining_ns, now_ns), closed);
}

static void log_maintenance(const struct backend *backend, uint32_t sessions)
{
    char usable[64];

    tell_of_backend(LOG_INFO, backend, "is in maintenance: %" PRIu32 " session%s open%s", sessions,
                    sessions == 1 ? " is" : "s are", format_usable(usable, sizeof(usable), backend));
}

static void log_ready(const struct backend *backend)
{
    char usable[64];

    tell_of_backend(LOG_INFO, backend, "is ready again%s%s", backend_standing(backend) == BACKEND_USABLE ? "" : ", but down",
                    format_usable(usable, sizeof(usable), backend));
}

static void log_eviction(const struct backend *backend, uint32_t sessions)
{
    const struct pool_settings *settings = pool_settings(backend->pool);
    char timeout[DURATION_TEXT_BYTES], reason[DURATION_TEXT_BYTES + 48] = "is down or in maintenance, and on_down = close", rate[48];

    if (backend_eviction(backend) == EVICTION_FAILBACK)
        snprintf(reason, sizeof(reason), "is a backup, another one is usable, and on_failback = close");
    else if (backend_eviction(backend) == EVICTION_DRAINED)
        snprintf(reason, sizeof(reason), "has been draining for %s (drain_timeout)",
                 duration_format(backend_settings(backend)->drain_timeout_ms, timeout, sizeof(timeout)));
    tell_of_backend(LOG_INFO, backend, "%s: closing its %" PRIu32 " session%s, %s", reason, sessions, plural_of(sessions),
                    format_rate(rate, sizeof(rate), settings));
}

static void log_evicted(const struct backend *backend, uint32_t sessions, uint64_t now_ns)
{
    uint32_t evicted = backend_evicted(backend);
    char lasted[32], left[48] = "";

    if (sessions > 0)
        snprintf(left, sizeof(left), "; %" PRIu32 " may continue", sessions);
    tell_of_backend(LOG_INFO, backend, ": %" PRIu32 " session%s closed in %s%s", evicted, evicted == 1 ? " was" : "s were",
                    format_lasted(lasted, sizeof(lasted), backend->life.evicting_ns, now_ns), left);
}

/* ---- drains and maintenance ---- */

static enum phase phase_of(const struct backend *backend, uint32_t sessions)
{
    uint32_t state = backend_state(backend);

    if (backend_state_part(state, BACKEND_ADMIN) == BACKEND_ADMIN_MAINTENANCE || backend_state_part(state, BACKEND_AGENT) == BACKEND_AGENT_MAINTENANCE)
        return PHASE_MAINTENANCE;
    if (backend_standing(backend) != BACKEND_DRAINING)
        return PHASE_SERVING;
    return sessions > 0 && backend->life.phase != PHASE_DRAINED ? PHASE_DRAINING : PHASE_DRAINED; /* a session that comes late does not begin a second drain */
}

static void enter_phase(struct backend *backend, enum phase phase, uint32_t sessions, uint64_t now_ns)
{
    enum phase before = backend->life.phase;

    backend->life.phase = (uint8_t)phase;
    switch (phase) {
    case PHASE_DRAINING:
        backend_hold(backend);
        backend->life.draining_ns = now_ns;
        log_drain(backend, sessions);
        break;
    case PHASE_DRAINED:
        if (before == PHASE_DRAINING) {
            log_drained(backend, now_ns);
        } else {
            backend->life.draining_ns = now_ns;
            if (!backend->leaving) /* nobody waits for the end of its drain */
                log_drain(backend, sessions);
        }
        break;
    case PHASE_MAINTENANCE:
        log_maintenance(backend, sessions);
        break;
    case PHASE_SERVING:
        log_ready(backend);
    }
    if (before == PHASE_DRAINING)
        backend_drop(backend);
}

static void follow_phase(struct review *review, struct backend *backend)
{
    uint32_t sessions = backend_in_flight(backend);
    enum phase phase = phase_of(backend, sessions);

    if (phase != backend->life.phase)
        enter_phase(backend, phase, sessions, review->now_ns);
}

/* ---- closing sessions ---- */

static bool is_draining(const struct backend *backend)
{
    return backend->life.phase == PHASE_DRAINING || backend->life.phase == PHASE_DRAINED;
}

/* When drain_timeout is over; UINT64_MAX: never. */
static uint64_t deadline_ns(const struct backend *backend)
{
    uint32_t timeout_ms = backend_settings(backend)->drain_timeout_ms;

    return is_draining(backend) && timeout_ms != UINT32_MAX ? backend->life.draining_ns + timeout_ms * NS_PER_MS : UINT64_MAX;
}

static enum backend_eviction eviction_of(const struct review *review, const struct backend *backend)
{
    const struct pool_settings *settings = pool_settings(backend->pool);

    if (settings->on_down == CONFIG_SESSIONS_CLOSE && backend_state_is_down(backend_state(backend)) && !backend_serves_anyway(backend))
        return EVICTION_DOWN;
    if (review->now_ns >= deadline_ns(backend))
        return EVICTION_DRAINED;
    if (settings->on_failback == CONFIG_SESSIONS_CLOSE && backend_settings(backend)->backup && review->is_primary_usable)
        return EVICTION_FAILBACK;
    return EVICTION_NONE;
}

/* Notes that sessions are being closed, or that they are closed. A drain logs its own end. */
static void follow_eviction(struct backend *backend, enum backend_eviction eviction, uint64_t now_ns)
{
    uint32_t sessions = backend_in_flight(backend);

    if (backend->life.evicts && (sessions == 0 || eviction != backend_eviction(backend))) {
        if (!is_draining(backend))
            log_evicted(backend, sessions, now_ns);
        backend->life.evicts = false;
    }
    backend_set_eviction(backend, eviction);
    if (eviction != EVICTION_NONE && !backend->life.evicts && sessions > 0) {
        backend->life.evicts = true;
        backend->life.evicting_ns = now_ns;
        log_eviction(backend, sessions);
    }
}

/* ---- reviews ---- */

static void wake_at(struct review *review, uint64_t at_ns)
{
    if (at_ns < review->lifecycle->wake_ns)
        review->lifecycle->wake_ns = at_ns;
}

static void review_backend(struct review *review, struct backend *backend)
{
    follow_phase(review, backend);
    follow_eviction(backend, eviction_of(review, backend), review->now_ns);
    review->evicts |= backend->life.evicts;
    if (backend->life.evicts || backend->life.phase == PHASE_DRAINING)
        wake_at(review, review->now_ns + REPEAT_MS * NS_PER_MS);
    if (backend_eviction(backend) == EVICTION_NONE)
        wake_at(review, deadline_ns(backend));
}

static bool is_primary_usable(const struct pool *pool)
{
    for (size_t i = 0; i < pool->backend_count; i++) {
        if (!backend_settings(pool->backends[i])->backup && backend_standing(pool->backends[i]) == BACKEND_USABLE)
            return true;
    }
    return false;
}

static void review_pool(struct pool *pool, void *context)
{
    struct review *review = context;

    review->is_primary_usable = is_primary_usable(pool);
    for (struct list *link = pool->all_backends.next; link != &pool->all_backends; link = link->next)
        review_backend(review, container_of(link, struct backend, link));
}

void lifecycle_review(struct lifecycle *lifecycle, uint64_t now_ns)
{
    struct review review = {.lifecycle = lifecycle, .now_ns = now_ns};

    lifecycle->wake_ns = UINT64_MAX;
    table_each_pool(lifecycle->table, review_pool, &review);
    for (unsigned i = 0; review.evicts && lifecycle->workers && i < lifecycle->workers->count; i++)
        lifecycle->workers->evict(lifecycle->workers->context, i);
}

void lifecycle_init(struct lifecycle *lifecycle, struct table *table, const struct health_workers *workers)
{
    *lifecycle = (struct lifecycle){.table = table, .workers = workers};
}

static void release_pool(struct pool *pool, void *context)
{
    (void)context;
    for (struct list *link = pool->all_backends.next; link != &pool->all_backends; link = link->next) {
        struct backend *backend = container_of(link, struct backend, link);

        if (backend->life.phase == PHASE_DRAINING)
            backend_drop(backend);
        backend->life.phase = PHASE_SERVING;
    }
}

void lifecycle_deinit(struct lifecycle *lifecycle)
{
    table_each_pool(lifecycle->table, release_pool, NULL);
}
