/* table/plan.c: compares a configuration with the live objects. Publisher; owns what is new until apply.c takes it.
 *
 * An object that is leaving is found too, unless it is condemned: it may still have sessions, which its limit must count. */
#include "table/plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding objects by name; `name` comes first in each kind ---- */

struct index {
    void **objects; /* by name */
    size_t count;
};

static const char *name_of(const void *object)
{
    return *(const char *const *)object;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(name_of(*(void *const *)a), name_of(*(void *const *)b));
}

/* Makes an empty index with room for all objects of a list. Returns 0 or -ENOMEM. */
static int index_init(struct index *index, const struct list *all)
{
    size_t count = 0;

    for (const struct list *link = all->next; link != all; link = link->next)
        count++;
    *index = (struct index){.objects = calloc(count + 1, sizeof(void *))};
    return index->objects ? 0 : -ENOMEM;
}

static void index_sort(struct index *index)
{
    if (index->count > 0)
        qsort(index->objects, index->count, sizeof(void *), by_name);
}

/* Returns the position of the first object with the name, or of the first one after it. */
static size_t index_find(const struct index *index, const char *name)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(name_of(index->objects[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Returns object `i` if it has the name, and otherwise NULL. */
static void *index_at(const struct index *index, size_t i, const char *name)
{
    return i < index->count && strcmp(name_of(index->objects[i]), name) == 0 ? index->objects[i] : NULL;
}

/* ---- backends ---- */

static int index_backends(struct index *index, struct pool *pool)
{
    if (index_init(index, &pool->all_backends) < 0)
        return -ENOMEM;
    for (struct list *link = pool->all_backends.next; link != &pool->all_backends; link = link->next) {
        struct backend *backend = container_of(link, struct backend, link);

        backend->named = false;
        if (!backend->condemned)
            index->objects[index->count++] = backend;
    }
    index_sort(index);
    return 0;
}

static struct backend *find_backend(const struct index *index, const struct config_backend *config)
{
    struct backend *backend;

    for (size_t i = index_find(index, config->name); (backend = index_at(index, i, config->name)) != NULL; i++) {
        if (addr_equal(&backend->addr, &config->addr))
            return backend;
    }
    return NULL;
}

static int plan_backend(struct plan_backend *row, struct pool *pool, struct backend *old, const struct config_backend *config)
{
    row->backend = old;
    if (!old) {
        row->is_new = true;
        row->backend = backend_new(pool, config, pool->next_id);
        pool->next_id += row->backend != NULL;
        return row->backend ? 0 : -ENOMEM;
    }
    assert(!old->named); /* names are unique in a pool */
    old->named = true;
    if (backend_settings_equal(backend_settings(old), &config->settings))
        return 0;
    row->settings = backend_settings_copy(&config->settings);
    return row->settings ? 0 : -ENOMEM;
}

static int plan_backends(struct plan_pool *row, const struct config_pool *config)
{
    struct index index;
    int result = index_backends(&index, row->pool);

    row->backends = calloc(config->backend_count, sizeof(*row->backends));
    row->array = calloc(config->backend_count, sizeof(struct backend *));
    if (!row->backends || !row->array)
        result = -ENOMEM;
    for (size_t i = 0; i < config->backend_count && result == 0; i++) {
        result = plan_backend(&row->backends[i], row->pool, find_backend(&index, &config->backends[i]), &config->backends[i]);
        row->array[i] = row->backends[i].backend;
        row->backend_count++;
    }
    free(index.objects);
    return result;
}

/* ---- pools ---- */

static int index_pools(struct index *index, struct table *table)
{
    if (index_init(index, &table->all_pools) < 0)
        return -ENOMEM;
    for (struct list *link = table->all_pools.next; link != &table->all_pools; link = link->next) {
        struct pool *pool = container_of(link, struct pool, link);

        pool->named = false;
        if (!pool->condemned)
            index->objects[index->count++] = pool;
    }
    index_sort(index);
    return 0;
}

static int find_free_slot(struct table *table, uint32_t *slot)
{
    struct pool **slots;

    for (size_t i = 0; i < table->slot_count; i++) {
        if (!table->slots[i]) {
            *slot = (uint32_t)i;
            return 0;
        }
    }
    slots = realloc(table->slots, (table->slot_count + 1) * sizeof(struct pool *));
    if (!slots)
        return -ENOMEM;
    table->slots = slots;
    *slot = (uint32_t)table->slot_count;
    slots[table->slot_count++] = NULL;
    return 0;
}

static int plan_new_pool(struct plan_pool *row, struct table *table, const struct config_pool *config)
{
    uint32_t slot;

    if (find_free_slot(table, &slot) < 0)
        return -ENOMEM;
    row->is_new = true;
    row->pool = pool_new(table, config, slot);
    if (!row->pool)
        return -ENOMEM;
    list_append(&table->all_pools, &row->pool->link);
    table->slots[slot] = row->pool;
    return 0;
}

static int plan_pool(struct plan_pool *row, struct table *table, struct pool *old, const struct config_pool *config)
{
    int result = 0;

    row->pool = old;
    if (!old) {
        result = plan_new_pool(row, table, config);
    } else {
        assert(!old->named); /* names are unique */
        old->named = true;
        if (!pool_settings_equal(pool_settings(old), &config->settings)) {
            row->settings = pool_settings_copy(&config->settings);
            result = row->settings ? 0 : -ENOMEM;
        }
    }
    return result < 0 ? result : plan_backends(row, config);
}

/* Whether the selector would build the same set again. */
static bool keeps_set(const struct plan_pool *row, const struct config_pool *config)
{
    const struct pool *pool = row->pool;
    const struct pool_settings *settings = pool_settings(pool);

    if (row->is_new || pool->backend_count != row->backend_count)
        return false;
    if (settings->balance != config->settings.balance || settings->hash_table_size != config->settings.hash_table_size)
        return false;
    for (size_t i = 0; i < row->backend_count; i++) {
        const struct backend_settings *old = backend_settings(row->array[i]), *next = &config->backends[i].settings;

        if (row->array[i] != pool->backends[i] || old->weight != next->weight || old->backup != next->backup)
            return false;
    }
    return true;
}

static int plan_set(struct plan_pool *row, const struct table *table, const struct config_pool *config, uint64_t seed)
{
    row->replaces_set = seed != table->seed || !keeps_set(row, config);
    if (!row->replaces_set || !table->prepare || !table->prepare->set)
        return 0;
    return table->prepare->set(config, seed, &row->set);
}

static int plan_pools(struct plan *plan, struct table *table, const struct config *config)
{
    struct index index;
    int result = index_pools(&index, table);

    for (size_t i = 0; i < config->pool_count && result == 0; i++) {
        const struct config_pool *wanted = &config->pools[i];

        plan->pool_count++;
        result = plan_pool(&plan->pools[i], table, index_at(&index, index_find(&index, wanted->name), wanted->name), wanted);
        plan->pool_array[i] = plan->pools[i].pool;
        if (result == 0)
            result = plan_set(&plan->pools[i], table, wanted, config->seed);
    }
    free(index.objects);
    return result;
}

/* ---- listeners ---- */

static int index_listeners(struct index *index, const struct table *table)
{
    if (index_init(index, &table->all_listeners) < 0)
        return -ENOMEM;
    for (struct list *link = table->all_listeners.next; link != &table->all_listeners; link = link->next) {
        struct listener *listener = container_of(link, struct listener, link);

        listener->named = false;
        if (!listener->condemned)
            index->objects[index->count++] = listener;
    }
    index_sort(index);
    return 0;
}

static int plan_listener(struct plan_listener *row, struct table *table, struct listener *old, const struct config_listener *config)
{
    row->listener = old;
    if (!old) {
        row->is_new = true;
        row->listener = listener_new(config, row->pool, table->workers);
        if (!row->listener)
            return -ENOMEM;
        list_append(&table->all_listeners, &row->listener->link);
        return 0;
    }
    assert(!old->named); /* names are unique */
    old->named = true;
    if (listener_settings_equal(listener_settings(old), &config->settings))
        return 0;
    row->settings = listener_settings_copy(&config->settings);
    return row->settings ? 0 : -ENOMEM;
}

static int plan_listeners(struct plan *plan, struct table *table, const struct config *config)
{
    struct index index;
    int result = index_listeners(&index, table);

    for (size_t i = 0; i < config->listener_count && result == 0; i++) {
        const struct config_listener *wanted = &config->listeners[i];
        struct plan_listener *row = &plan->listeners[i];

        plan->listener_count++;
        row->pool = plan->pools[wanted->pool].pool;
        result = plan_listener(row, table, index_at(&index, index_find(&index, wanted->name), wanted->name), wanted);
        plan->listener_array[i] = row->listener;
    }
    free(index.objects);
    return result;
}

int plan_init(struct plan *plan, struct table *table, const struct config *config)
{
    int result;

    *plan = (struct plan){
        .pools = calloc(config->pool_count + 1, sizeof(*plan->pools)),
        .listeners = calloc(config->listener_count + 1, sizeof(*plan->listeners)),
        .pool_array = calloc(config->pool_count + 1, sizeof(struct pool *)),
        .listener_array = calloc(config->listener_count + 1, sizeof(struct listener *)),
    };
    if (!plan->pools || !plan->listeners || !plan->pool_array || !plan->listener_array)
        return -ENOMEM;
    result = plan_pools(plan, table, config);
    return result < 0 ? result : plan_listeners(plan, table, config);
}

/* ---- undoing ---- */

static void free_pool_row(struct plan_pool *row)
{
    free(row->settings);
    free(row->set);
    free(row->array);
    for (size_t i = 0; i < row->backend_count; i++) {
        free(row->backends[i].settings);
        if (row->backends[i].is_new)
            backend_free(row->backends[i].backend);
    }
    free(row->backends);
    if (row->is_new && row->pool)
        objects_free_pool(row->pool);
}

void plan_deinit(struct plan *plan)
{
    for (size_t i = 0; i < plan->listener_count; i++) {
        free(plan->listeners[i].settings);
        if (plan->listeners[i].is_new)
            listener_free(plan->listeners[i].listener);
    }
    for (size_t i = 0; i < plan->pool_count; i++)
        free_pool_row(&plan->pools[i]);
    free(plan->listeners);
    free(plan->pools);
    free(plan->pool_array);
    free(plan->listener_array);
    *plan = (struct plan){0};
}
