/* table/change.c: changes what is known about one backend, and notes what must be published for it. Publisher. */
#include "table/objects.h"

/* What selectors see of a backend. */
struct view {
    bool is_usable;
    uint32_t weight;
};

static struct view view_of(const struct backend *backend)
{
    return (struct view){.is_usable = backend_standing(backend) == BACKEND_USABLE, .weight = capacity_weight(backend)};
}

/* Its pool is published again if selectors see a change since `before`. */
static void note_change(struct table *table, struct backend *backend, struct view before)
{
    struct pool *pool = backend->pool;
    struct view now = view_of(backend);

    if (backend->leaving || (now.is_usable == before.is_usable && now.weight == before.weight))
        return;
    pool->usable = pool->usable + now.is_usable - before.is_usable;
    pool->changed = true;
    table->is_due = true;
}

void table_set_state(struct table *table, struct backend *backend, enum backend_source source, unsigned value)
{
    struct view before = view_of(backend);

    (void)backend_set_state(backend, source, value);
    note_change(table, backend, before);
}

void table_set_agent_weight(struct table *table, struct backend *backend, struct capacity_weight weight)
{
    struct view before = view_of(backend);

    backend->agent_weight = weight;
    (void)backend_set_state(backend, BACKEND_WEIGHT, capacity_weight(backend) == 0 ? BACKEND_WEIGHT_ZERO : BACKEND_WEIGHT_POSITIVE);
    note_change(table, backend, before);
}

void table_set_agent_limit(struct backend *backend, uint32_t max_connections)
{
    backend->agent_limit = max_connections;
    backend_update_limit(backend);
}
