/* table/apply.c: changes the set of live objects to what a configuration says. Publisher.
 *
 * All memory is allocated before the first change (plan.c), so that nothing can fail after it. Memory that workers may still read goes to the reclaim list. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/change.h"
#include "table/plan.h"

/* ---- retiring objects, and bringing them back ---- */

static void free_settings(void *settings)
{
    free(settings);
}

static void retire_settings(struct table *table, const void *old)
{
    reclaim_add(&table->reclaim, (void *)(uintptr_t)old, free_settings, NULL);
}

static void free_set(void *set)
{
    free(set);
}

static void destroy_backend(void *backend)
{
    backend_free(backend);
}

static bool condemn_backend(void *object)
{
    struct backend *backend = object;

    if (!backend_is_unused(backend))
        return false;
    backend->condemned = true;
    return true;
}

static void retire_backend(struct table *table, struct backend *backend, struct table_change *change)
{
    backend->leaving = true;
    change_end_slow_start(backend);
    (void)backend_set_state(backend, BACKEND_DISCOVERY, BACKEND_GONE);
    reclaim_add(&table->reclaim, backend, destroy_backend, condemn_backend);
    change->backends.retired++;
}

static void revive_backend(struct table *table, struct backend *backend)
{
    backend->leaving = false;
    (void)backend_set_state(backend, BACKEND_DISCOVERY, BACKEND_PRESENT);
    reclaim_remove(&table->reclaim, backend);
}

static void destroy_pool(void *pool)
{
    objects_free_pool(pool);
}

static bool condemn_pool(void *object)
{
    struct pool *pool = object;

    if (!pool_is_unused(pool))
        return false;
    pool->condemned = true;
    return true;
}

static void retire_pool(struct table *table, struct pool *pool, struct table_change *change)
{
    for (size_t i = 0; i < pool->backend_count; i++)
        retire_backend(table, pool->backends[i], change);
    pool->backend_count = 0;
    pool->leaving = true;
    table->is_due = true;
    reclaim_add(&table->reclaim, pool, destroy_pool, condemn_pool);
    change->pools.retired++;
}

static void revive_pool(struct table *table, struct pool *pool)
{
    pool->leaving = false;
    reclaim_remove(&table->reclaim, pool);
}

static void destroy_listener(void *listener)
{
    listener_free(listener);
}

static bool condemn_listener(void *object)
{
    struct listener *listener = object;

    if (!listener_is_unused(listener))
        return false;
    listener->condemned = true;
    return true;
}

static void retire_listener(struct table *table, struct listener *listener, struct table_change *change)
{
    listener->leaving = true;
    table->is_due = true;
    reclaim_add(&table->reclaim, listener, destroy_listener, condemn_listener);
    change->listeners.retired++;
}

static void revive_listener(struct table *table, struct listener *listener)
{
    listener->leaving = false;
    reclaim_remove(&table->reclaim, listener);
}

/* ---- changing ---- */

/* The part of the state that probes write, before the first probe has ended. */
static enum backend_probe_state initial_probe_state(const struct pool_settings *settings)
{
    if (!pool_settings_has_probe(settings))
        return BACKEND_UNCHECKED;
    return settings->check_initial_up ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN;
}

static enum backend_admin_state ordered_state(const struct backend_settings *settings)
{
    switch (settings->state) {
    case CONFIG_BACKEND_DRAIN:
        return BACKEND_ADMIN_DRAIN;
    case CONFIG_BACKEND_MAINTENANCE:
        return BACKEND_ADMIN_MAINTENANCE;
    case CONFIG_BACKEND_READY:
        break;
    }
    return BACKEND_READY;
}

/* A backend that comes back begins without what its agent said before. */
static void forget_agent(struct backend *backend)
{
    (void)backend_set_state(backend, BACKEND_AGENT, BACKEND_AGENT_READY);
    (void)backend_set_state(backend, BACKEND_WEIGHT, BACKEND_WEIGHT_POSITIVE);
    backend->agent_weight = (struct capacity_weight){.unit = CAPACITY_AS_CONFIGURED};
    backend->agent_limit = 0;
    backend_update_limit(backend);
}

/* Returns whether selectors see a change. What the administrator has ordered at run time stays, unless the configuration says something else about this
 * backend than the last one did. */
static bool commit_backend(struct table *table, struct plan_backend *row, bool is_checked_anew, struct table_change *change)
{
    struct backend *backend = row->backend;
    bool comes = row->is_new || backend->leaving, changes = row->settings != NULL;
    bool was_usable = !comes && backend_standing(backend) == BACKEND_USABLE;
    bool is_ordered_anew = comes || (changes && row->settings->state != backend_settings(backend)->state);

    if (backend->leaving)
        revive_backend(table, backend);
    if (comes || is_checked_anew)
        (void)backend_set_state(backend, BACKEND_PROBE, initial_probe_state(pool_settings(backend->pool)));
    if (comes)
        forget_agent(backend);
    if (row->settings)
        retire_settings(table, backend_replace_settings(backend, row->settings));
    if (is_ordered_anew)
        (void)backend_set_state(backend, BACKEND_ADMIN, ordered_state(backend_settings(backend)));
    change_turn(table, backend, was_usable);
    row->settings = NULL;
    row->is_new = false;
    change->backends.added += comes;
    change->backends.changed += changes && !comes;
    return comes || changes || is_checked_anew;
}

static void commit_backends(struct table *table, struct plan_pool *row, bool is_checked_anew, struct table_change *change)
{
    struct pool *pool = row->pool;

    if (pool->backend_count != row->backend_count || memcmp(pool->backends, row->array, pool->backend_count * sizeof(pool->backends[0])) != 0)
        pool->changed = true;
    for (size_t i = 0; i < pool->backend_count; i++) {
        if (!pool->backends[i]->named)
            retire_backend(table, pool->backends[i], change);
    }
    pool->usable = 0;
    for (size_t i = 0; i < row->backend_count; i++) {
        pool->changed |= commit_backend(table, &row->backends[i], is_checked_anew, change);
        pool->usable += backend_standing(row->array[i]) == BACKEND_USABLE;
    }
    free(pool->backends);
    pool->backends = row->array;
    pool->backend_count = row->backend_count;
    row->array = NULL;
}

/* The pool is published again, since its snapshot borrows the old set. */
static void replace_set(struct table *table, struct plan_pool *row)
{
    struct pool *pool = row->pool;

    if (pool->set)
        reclaim_add(&table->reclaim, pool->set, free_set, NULL);
    pool->set = row->set; /* the pool owns it now */
    row->set = NULL;
    pool->changed = true;
}

static void commit_pool(struct table *table, struct plan_pool *row, struct table_change *change)
{
    struct pool *pool = row->pool;
    bool comes = row->is_new || pool->leaving, changes = row->settings != NULL;
    bool is_checked_anew = changes && pool_settings(pool)->check != row->settings->check;

    if (pool->leaving)
        revive_pool(table, pool);
    if (row->settings)
        retire_settings(table, pool_replace_settings(pool, row->settings));
    row->settings = NULL;
    row->is_new = false;
    pool->changed |= comes || changes;
    change->pools.added += comes;
    change->pools.changed += changes && !comes;
    commit_backends(table, row, is_checked_anew, change);
    if (row->replaces_set)
        replace_set(table, row);
    table->is_due |= pool->changed;
}

static void commit_listener(struct table *table, struct plan_listener *row, struct table_change *change)
{
    struct listener *listener = row->listener;
    bool comes = row->is_new || listener->leaving, changes = row->settings || listener_pool(listener) != row->pool;

    if (listener->leaving)
        revive_listener(table, listener);
    if (row->settings) {
        retire_settings(table, listener_replace_settings(listener, row->settings));
        table->is_due = true; /* only a publication seals the retired settings */
    }
    if (listener_pool(listener) != row->pool)
        listener_replace_pool(listener, row->pool);
    row->settings = NULL;
    row->is_new = false;
    change->listeners.added += comes;
    change->listeners.changed += changes && !comes;
}

/* New pools are published before a listener leads to them, and old pools leave the snapshot after no listener leads to them. So a session finds its pool at any
 * time. */
static void commit_plan(struct table *table, struct plan *plan, struct table_change *change)
{
    for (size_t i = 0; i < plan->pool_count; i++)
        commit_pool(table, &plan->pools[i], change);
    (void)objects_publish(table); /* if memory is lacking, it stays due */
    for (size_t i = 0; i < plan->listener_count; i++)
        commit_listener(table, &plan->listeners[i], change);
    for (size_t i = 0; i < table->listener_count; i++) {
        if (!table->listeners[i]->named)
            retire_listener(table, table->listeners[i], change);
    }
    for (size_t i = 0; i < table->pool_count; i++) {
        if (!table->pools[i]->named)
            retire_pool(table, table->pools[i], change);
    }
    free(table->pools);
    free(table->listeners);
    table->pools = plan->pool_array;
    table->pool_count = plan->pool_count;
    table->listeners = plan->listener_array;
    table->listener_count = plan->listener_count;
    plan->pool_array = NULL;
    plan->listener_array = NULL;
    (void)objects_publish(table);
}

/* The maximum number of things that this change retires, including the sets of pools and two publications. */
static size_t retired_max(const struct table *table, const struct plan *plan)
{
    size_t most = 2 * (table->listener_count + table->pool_count + plan->listener_count + plan->pool_count + table->slot_count + 1);

    for (size_t i = 0; i < table->pool_count; i++)
        most += table->pools[i]->backend_count;
    for (size_t i = 0; i < plan->pool_count; i++)
        most += plan->pools[i].backend_count + 1;
    return most;
}

int table_apply(struct table *table, const struct config *config, struct table_change *change)
{
    struct table_change found = {0};
    struct plan plan;
    int result = plan_init(&plan, table, config);

    if (result == 0)
        result = reclaim_reserve(&table->reclaim, retired_max(table, &plan));
    if (result == 0) {
        for (size_t i = 0; i < plan.pool_count; i++)
            plan.pools[i].pool->changed |= table->seed != config->seed;
        table->seed = config->seed;
        commit_plan(table, &plan, &found);
    }
    plan_deinit(&plan);
    if (change)
        *change = found;
    return result;
}
