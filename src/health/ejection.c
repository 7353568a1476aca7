/* health/ejection.c: ejects and brings back. Health thread; what it remembers is in the backends. */
#include "health/ejection.h"

#include <stdio.h>

#include "base/addr.h"
#include "base/duration.h"
#include "health/probe.h"
#include "health/publisher.h"
#include "health/targets.h"
#include "health/tell.h"
#include "log/log.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

enum { LOOK_MS = 10, STAYS_LOG_MS = 60000, STEPS_MAX = 30 };

/* Room for the reason of a failure and a few words. */
enum { TEXT_BYTES = PROBE_REASON_BYTES + 40 };

static bool is_ejected(const struct backend *backend)
{
    return backend_state_part(backend_state(backend), BACKEND_EJECTION) == BACKEND_EJECTED;
}

static size_t count_ejected(const struct pool *pool)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->backend_count; i++)
        count += is_ejected(pool->backends[i]);
    return count;
}

/* ---- words ---- */

/* Writes "N sessions in a row failed, the last: REASON". */
static const char *describe_failures(const struct backend *backend, char *text, size_t size)
{
    static const char *const reasons[] = {
        [BACKEND_CONNECT_FAILED] = "",
        [BACKEND_RESET] = " before the first byte",
        [BACKEND_CLOSED] = "connection closed before the first byte",
        [BACKEND_SILENT] = "no first byte within first_byte_timeout",
    };
    uint32_t failures = backend_failures(backend);
    struct probe_result result = {.reason = ""};
    int error;
    enum backend_failure what = backend_last_failure(backend, &error);

    if (what == BACKEND_CONNECT_FAILED || what == BACKEND_RESET)
        (void)probe_errno(&result, error, &backend->addr); /* for the text alone */
    (void)snprintf(text, size, "%u session%s failed, the last: %s%s", failures, failures == 1 ? "" : "s in a row", result.reason, reasons[what]);
    return text;
}

/* ---- ejecting ---- */

/* Begins an ejection: sets how many probes are needed, advances `steps`, and returns the time. */
static uint64_t take_step_ms(struct backend_ejection *history, const struct pool_settings *settings, uint64_t now_ns)
{
    uint64_t max_ms = settings->eject_time_max_ms > settings->eject_time_ms ? settings->eject_time_max_ms : settings->eject_time_ms;
    uint64_t quiet = (now_ns - history->ended_ns) / (settings->eject_time_ms * NS_PER_MS), time_ms;

    history->steps = quiet < history->steps ? history->steps - (uint32_t)quiet : 0;
    history->probes_needed = (uint64_t)settings->rise << history->steps;
    time_ms = (uint64_t)settings->eject_time_ms << history->steps;
    if (time_ms >= max_ms)
        return max_ms; /* more steps would change nothing, and take longer to go away */
    if (history->steps < STEPS_MAX)
        history->steps++;
    return time_ms;
}

/* The returned session decides alone. A success in the meantime is kept. */
static void limit_failures(struct backend *backend, const struct pool_settings *settings)
{
    if (settings->eject_after > 0 && backend_failures(backend) >= settings->eject_after)
        backend_set_failures(backend, settings->eject_after - 1);
}

static void eject_backend(struct ejection *ejection, struct backend *backend, uint64_t now_ns)
{
    struct pool *pool = backend->pool;
    const struct pool_settings *settings = pool_settings(pool);
    struct backend_ejection *history = &backend->ejection;
    uint64_t time_ms = take_step_ms(history, settings, now_ns);
    char addr[ADDR_TEXT_BYTES], why[TEXT_BYTES], time[DURATION_TEXT_BYTES];
    int error;

    history->probes_see |= backend_last_failure(backend, &error) == BACKEND_CONNECT_FAILED;
    history->since_ns = now_ns;
    history->until_ns = now_ns + time_ms * NS_PER_MS;
    history->good_probes = 0;
    backend->events.ejections++;
    publisher_set(ejection->publisher, backend, BACKEND_EJECTION, BACKEND_EJECTED, now_ns);
    (void)duration_format(time_ms, time, sizeof(time));
    backend_set_reason(backend, BACKEND_REASON_EJECTION, describe_failures(backend, why, sizeof(why)));
    tell_of_backend(LOG_WARN, backend, "(%s) is EJECTED for %s: %s; %zu of %zu usable", addr_format(&backend->addr, addr, sizeof(addr)), time, why,
                    pool->usable, pool->backend_count);
    limit_failures(backend, settings);
}

/* Logs that a backend that fails stays in service. That may last, so at most one line a minute. */
static void log_stay(struct backend *backend, bool is_last, size_t allowed, uint64_t now_ns)
{
    const struct pool *pool = backend->pool;
    char addr[ADDR_TEXT_BYTES], why[TEXT_BYTES], rule[80] = "no other backend is usable";

    if (backend->ejection.stay_logged_ns != 0 && now_ns - backend->ejection.stay_logged_ns < STAYS_LOG_MS * NS_PER_MS)
        return;
    backend->ejection.stay_logged_ns = now_ns;
    if (!is_last)
        (void)snprintf(rule, sizeof(rule), "eject_share = %u%% allows only %zu of %zu backends to be ejected", pool_settings(pool)->eject_share_percent,
                       allowed, pool->backend_count);
    tell_of_backend(LOG_WARN, backend, "(%s) is not ejected: %s; %s", addr_format(&backend->addr, addr, sizeof(addr)), rule,
                    describe_failures(backend, why, sizeof(why)));
}

static void consider_backend(struct ejection *ejection, struct backend *backend, uint64_t now_ns)
{
    struct pool *pool = backend->pool;
    const struct pool_settings *settings = pool_settings(pool);
    size_t allowed = pool->backend_count * settings->eject_share_percent / 100;

    if (backend_failures(backend) > 0)
        targets_hurry(backend, now_ns);
    if (settings->eject_after == 0 || backend_failures(backend) < settings->eject_after)
        return;
    if (backend_standing(backend) != BACKEND_USABLE)
        limit_failures(backend, settings);
    else if (pool->usable > 1 && count_ejected(pool) < allowed)
        eject_backend(ejection, backend, now_ns);
    else
        log_stay(backend, pool->usable == 1, allowed, now_ns);
}

/* ---- bringing back ---- */

/* `why`: why it returns early; NULL: its time is over. */
static void bring_back(struct ejection *ejection, struct backend *backend, const char *why, uint64_t now_ns)
{
    struct pool *pool = backend->pool;
    struct backend_ejection *history = &backend->ejection;
    char addr[ADDR_TEXT_BYTES], time[DURATION_TEXT_BYTES];

    publisher_set(ejection->publisher, backend, BACKEND_EJECTION, BACKEND_IN, now_ns);
    limit_failures(backend, pool_settings(pool));
    history->ended_ns = now_ns;
    (void)addr_format(&backend->addr, addr, sizeof(addr));
    (void)duration_format((history->until_ns - history->since_ns) / NS_PER_MS, time, sizeof(time));
    if (backend_standing(backend) != BACKEND_USABLE) /* nothing changes yet for sessions: what keeps it out has a line of its own */
        log_debug("pool %s: backend %s: an ejection of %s has ended while the backend is out for another reason", pool->name, backend->name, time);
    else if (why)
        tell_of_backend(LOG_INFO, backend, "(%s) is back %.1f s after its ejection: %s; %zu of %zu usable", addr,
                        (double)(now_ns - history->since_ns) / (double)NS_PER_S, why, pool->usable, pool->backend_count);
    else
        tell_of_backend(LOG_INFO, backend, "(%s) is back after an ejection of %s; %zu of %zu usable", addr, time, pool->usable, pool->backend_count);
}

static bool would_be_usable(const struct backend *backend)
{
    return backend_state_standing(backend_state_with(backend_state(backend), BACKEND_EJECTION, BACKEND_IN)) == BACKEND_USABLE;
}

static void reconsider_backend(struct ejection *ejection, struct backend *backend, uint64_t now_ns)
{
    const struct pool *pool = backend->pool;
    const struct pool_settings *settings = pool_settings(pool);
    const struct backend_ejection *history = &backend->ejection;

    if (now_ns >= history->until_ns)
        bring_back(ejection, backend, NULL, now_ns);
    else if (settings->eject_after == 0)
        bring_back(ejection, backend, "eject_after is off now", now_ns);
    else if (pool->usable == 0 && would_be_usable(backend))
        bring_back(ejection, backend, "no other backend is usable", now_ns);
    else if (history->probes_see && history->good_probes >= history->probes_needed)
        bring_back(ejection, backend, "its probes pass again", now_ns);
}

/* ---- when ---- */

static void review_pool(struct ejection *ejection, struct pool *pool, uint64_t now_ns)
{
    for (size_t i = 0; i < pool->backend_count; i++) {
        if (is_ejected(pool->backends[i]))
            reconsider_backend(ejection, pool->backends[i], now_ns);
    }
    for (size_t i = 0; i < pool->backend_count; i++) {
        struct backend *backend = pool->backends[i];

        consider_backend(ejection, backend, now_ns);
        if (is_ejected(backend) && backend->ejection.until_ns < ejection->due_ns)
            ejection->due_ns = backend->ejection.until_ns;
    }
}

void ejection_init(struct ejection *ejection, struct publisher *publisher)
{
    *ejection = (struct ejection){.publisher = publisher, .alarmed_at_ns = UINT64_MAX, .due_ns = UINT64_MAX};
}

void ejection_alarm(struct ejection *ejection, uint64_t now_ns)
{
    uint64_t next_ns = ejection->looked_ns + LOOK_MS * NS_PER_MS;

    if (ejection->alarmed_at_ns == UINT64_MAX)
        ejection->alarmed_at_ns = next_ns > now_ns ? next_ns : now_ns;
}

void ejection_applied(struct ejection *ejection, uint64_t now_ns)
{
    ejection->due_ns = now_ns; /* an object that has come back may have been ejected */
}

/* Whether a probe had to wait as sessions did that failed for first_byte_timeout. */
static bool was_silent(const struct backend *backend, uint64_t took_ns)
{
    uint64_t timeout_ns = pool_settings(backend->pool)->first_byte_timeout_ms * NS_PER_MS;
    int error;

    return backend_last_failure(backend, &error) == BACKEND_SILENT && timeout_ns > 0 && took_ns >= timeout_ns / 2;
}

void ejection_note_probe(struct ejection *ejection, struct backend *backend, bool passed, uint64_t took_ns, uint64_t now_ns)
{
    struct backend_ejection *history = &backend->ejection;

    passed = passed && !was_silent(backend, took_ns);
    history->good_probes = passed ? history->good_probes + 1 : 0;
    if (!passed || !is_ejected(backend))
        history->probes_see = !passed;
    if (is_ejected(backend) || backend->pool->usable == 0)
        review_pool(ejection, backend->pool, now_ns);
    if (is_ejected(backend) && history->probes_see)
        targets_hurry(backend, now_ns); /* so that it returns soon */
}

void ejection_run(struct ejection *ejection, uint64_t now_ns)
{
    const struct table *table = ejection->publisher->table;
    bool is_due = now_ns >= ejection->due_ns, is_alarmed = now_ns >= ejection->alarmed_at_ns;

    if (!is_due && !is_alarmed)
        return;
    if (is_due)
        ejection->due_ns = UINT64_MAX; /* review_pool() lowers it */
    if (is_alarmed) {
        ejection->alarmed_at_ns = UINT64_MAX;
        ejection->looked_ns = now_ns;
    }
    for (size_t i = 0; i < table_pool_count(table); i++) {
        struct pool *pool = table_pool(table, i);

        if ((is_alarmed && pool_take_alarm(pool)) || is_due)
            review_pool(ejection, pool, now_ns);
    }
}

uint64_t ejection_wake_ns(const struct ejection *ejection)
{
    return ejection->due_ns < ejection->alarmed_at_ns ? ejection->due_ns : ejection->alarmed_at_ns;
}
