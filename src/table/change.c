/* table/change.c: changes what is known about one backend, notes what must be published for it, and runs the slow starts. Publisher. */
#include "table/change.h"

#include "table/ramp.h"

#define NS_PER_MS UINT64_C(1000000)
#define FIRST_PROBE_MS 1000 /* the first probes of a pool begin within this time */

struct change_view change_view(const struct backend *backend)
{
    uint32_t state = backend_state(backend);

    return (struct change_view){
        .is_usable = backend_state_standing(state) == BACKEND_USABLE,
        .is_eligible = backend_state_is_eligible(state),
        .only_timed_out = backend_state_only_timed_out(state),
        .weight = capacity_weight(backend),
    };
}

/* ---- slow starts ---- */

static void set_share(struct backend *backend, uint32_t percent)
{
    backend->ramp_share = (uint8_t)percent;
    backend_update_limit(backend);
}

void change_end_slow_start(struct backend *backend)
{
    list_remove(&backend->ramping);
    set_share(backend, RAMP_WHOLE);
}

/* Begins the slow start of a backend, unless it has served all the time, whatever its health. Without slow_start it becomes a newcomer instead. Either ends
 * with the next table_advance() if this is the start of the process. */
static void begin_start(struct table *table, struct backend *backend)
{
    bool is_slow = pool_settings(backend->pool)->slow_start_ms > 0;

    if (table->started_ns == 0 || backend_serves_anyway(backend))
        return;
    backend->ramp_since_ns = 0;
    list_append(&table->ramping, &backend->ramping);
    set_share(backend, is_slow ? RAMP_FIRST : RAMP_WHOLE);
    backend_set_newcomer(backend, !is_slow);
}

/* Whether the backend has been there since the start, and no probe had the time to find it down. */
static bool is_first_result(const struct table *table, const struct backend *backend, uint64_t now_ns)
{
    const struct pool_settings *settings = pool_settings(backend->pool);
    uint64_t first_ms = FIRST_PROBE_MS + 2 * (uint64_t)settings->rise * (settings->check_interval_ms + settings->check_timeout_ms);

    return backend->awaited && now_ns < table->started_ns + first_ms * NS_PER_MS;
}

/* Returns when to do this again; UINT64_MAX: never, because the slow start is over. */
static uint64_t continue_slow_start(struct table *table, struct backend *backend, uint64_t now_ns)
{
    struct change_view before = change_view(backend);
    uint32_t duration_ms = pool_settings(backend->pool)->slow_start_ms;
    bool has_begun = backend->ramp_since_ns != 0, is_first = !has_begun && is_first_result(table, backend, now_ns), is_over = duration_ms == 0 || is_first;
    uint64_t elapsed_ns;

    if (!has_begun)
        backend->ramp_since_ns = now_ns;
    if (is_first)
        backend_set_newcomer(backend, false);
    elapsed_ns = now_ns - backend->ramp_since_ns;
    set_share(backend, is_over ? RAMP_WHOLE : ramp_share(elapsed_ns, duration_ms));
    change_note(table, backend, before);
    if (backend->ramp_share < RAMP_WHOLE)
        return backend->ramp_since_ns + ramp_next_ns(elapsed_ns, duration_ms);
    change_end_slow_start(backend);
    return UINT64_MAX;
}

static void note_start(struct table *table, uint64_t now_ns)
{
    table->started_ns = now_ns;
    for (size_t p = 0; p < table->pool_count; p++) {
        for (size_t i = 0; i < table->pools[p]->backend_count; i++) {
            struct backend *backend = table->pools[p]->backends[i];

            backend->awaited = backend_standing(backend) != BACKEND_USABLE;
        }
    }
}

uint64_t table_advance(struct table *table, uint64_t now_ns)
{
    uint64_t wake_ns = UINT64_MAX;

    if (table->started_ns == 0)
        note_start(table, now_ns);
    for (struct list *link = table->ramping.next, *next; link != &table->ramping; link = next) {
        struct backend *backend = container_of(link, struct backend, ramping);
        uint64_t at_ns;

        next = link->next;
        at_ns = continue_slow_start(table, backend, now_ns);
        backend->awaited = false;
        wake_ns = at_ns < wake_ns ? at_ns : wake_ns;
    }
    return wake_ns;
}

/* ---- changes ---- */

void change_turn(struct table *table, struct backend *backend, bool was_usable)
{
    bool is_usable = backend_standing(backend) == BACKEND_USABLE;

    if (is_usable && !was_usable)
        begin_start(table, backend);
    else if (was_usable && !is_usable)
        change_end_slow_start(backend);
}

void change_note(struct table *table, struct backend *backend, struct change_view before)
{
    struct pool *pool = backend->pool;
    struct change_view now = change_view(backend);

    if (backend->leaving || (now.is_usable == before.is_usable && now.is_eligible == before.is_eligible && now.only_timed_out == before.only_timed_out &&
                             now.weight == before.weight))
        return;
    pool->usable = pool->usable + now.is_usable - before.is_usable;
    pool->changed = true;
    table->is_due = true;
    change_turn(table, backend, before.is_usable);
}

void table_set_state(struct table *table, struct backend *backend, enum backend_source source, unsigned value)
{
    struct change_view before = change_view(backend);

    (void)backend_set_state(backend, source, value);
    change_note(table, backend, before);
}

void table_set_agent_weight(struct table *table, struct backend *backend, struct capacity_weight weight)
{
    struct change_view before = change_view(backend);

    backend->agent_weight = weight;
    (void)backend_set_state(backend, BACKEND_WEIGHT, capacity_weight(backend) == 0 ? BACKEND_WEIGHT_ZERO : BACKEND_WEIGHT_POSITIVE);
    change_note(table, backend, before);
}

void table_set_agent_limit(struct backend *backend, uint32_t max_connections)
{
    backend->agent_limit = max_connections;
    backend_update_limit(backend);
}
