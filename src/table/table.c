/* table/table.c: owns the live objects and the snapshots; publishes. Publisher; readers: workers, table_load().
 *
 * A publication is one snapshot with the array of its pools. When the next one replaces it, it goes to the reclaim list with those of its pools that the next
 * one no longer has; a pool that did not change is passed on by pointer. */
#include "table/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/epoch.h"
#include "table/objects.h"
#include "table/snapshot_build.h"

struct publication {
    struct snapshot snapshot;
    const struct snapshot_pool *pools[]; /* the array of the snapshot; the table owns the pools */
};

struct table *table_new(struct epoch *epoch, const struct table_prepare *prepare)
{
    struct table *table = aligned_alloc(_Alignof(struct table), sizeof(*table));

    if (!table)
        return NULL;
    memset(table, 0, sizeof(*table));
    table->epoch = epoch;
    table->prepare = prepare;
    list_init(&table->all_listeners);
    list_init(&table->all_pools);
    list_init(&table->ramping);
    table->is_due = true;
    if (table_publish(table) == 0)
        return table;
    table_free(table);
    return NULL;
}

static void free_memory(void *memory)
{
    free(memory);
}

static void free_snapshot_pool(void *pool)
{
    snapshot_pool_free(pool);
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; table->published && i < table->published->snapshot.slot_count; i++)
        snapshot_pool_free(table->published->pools[i]);
    free(table->published);
    reclaim_deinit(&table->reclaim); /* first, because it frees the objects that have left */
    while (!list_empty(&table->all_listeners))
        listener_free(container_of(table->all_listeners.next, struct listener, link));
    while (!list_empty(&table->all_pools)) {
        struct pool *pool = container_of(table->all_pools.next, struct pool, link);

        while (!list_empty(&pool->all_backends))
            backend_free(container_of(pool->all_backends.next, struct backend, link));
        objects_free_pool(pool);
    }
    free(table->listeners);
    free(table->pools);
    free(table->slots);
    history_clear(&table->history);
    free(table);
}

void table_note_line(struct table *table, const char *pool, const char *backend, const char *text)
{
    history_add(&table->history, pool, backend, text);
}

void table_let_wait(struct table *table, const struct limit_workers *workers)
{
    table->workers = workers;
}

const struct snapshot *table_load(const struct table *table)
{
    return atomic_load_explicit(&table->current, memory_order_acquire);
}

struct listener *table_listener(const struct table *table, size_t position)
{
    assert(position < table->listener_count);
    return table->listeners[position];
}

size_t table_pool_count(const struct table *table)
{
    return table->pool_count;
}

struct pool *table_pool(const struct table *table, size_t position)
{
    assert(position < table->pool_count);
    return table->pools[position];
}

struct backend *table_backend(const struct table *table, size_t pool, size_t position)
{
    assert(position < table_pool(table, pool)->backend_count);
    return table->pools[pool]->backends[position];
}

void table_each_pool(const struct table *table, void (*visit)(struct pool *pool, void *context), void *context)
{
    for (struct list *link = table->all_pools.next, *next; link != &table->all_pools; link = next) {
        next = link->next;
        visit(container_of(link, struct pool, link), context);
    }
}

/* ---- publishing ---- */

static const struct snapshot_pool *published_pool(const struct table *table, size_t slot)
{
    return table->published && slot < table->published->snapshot.slot_count ? table->published->pools[slot] : NULL;
}

/* Frees a publication that was never published, and those of its pools that the published one does not have. */
static void abandon_publication(const struct table *table, struct publication *next)
{
    for (size_t i = 0; i < next->snapshot.slot_count; i++) {
        if (next->pools[i] != published_pool(table, i))
            snapshot_pool_free(next->pools[i]);
    }
    free(next);
}

/* Builds the next publication: changed pools are rebuilt, and the others are taken over. Does not change the table. NULL: out of memory. */
static struct publication *publication_new(const struct table *table)
{
    struct publication *next = calloc(1, sizeof(*next) + table->slot_count * sizeof(next->pools[0]));

    if (!next)
        return NULL;
    next->snapshot = (struct snapshot){
        .version = table->published ? table->published->snapshot.version + 1 : 1,
        .slot_count = table->slot_count,
        .pools = next->pools,
    };
    for (size_t i = 0; i < table->slot_count; i++) {
        struct pool *pool = table->slots[i];

        if (!pool || pool->leaving)
            continue;
        next->pools[i] = pool->changed ? snapshot_pool_new(pool, table->seed, table->prepare) : published_pool(table, i);
        if (!next->pools[i]) {
            abandon_publication(table, next);
            return NULL;
        }
    }
    return next;
}

/* Retires what `old` has and the published one does not. The list has room. */
static void retire_publication(struct table *table, struct publication *old)
{
    for (size_t i = 0; i < old->snapshot.slot_count; i++) {
        if (old->pools[i] && old->pools[i] != published_pool(table, i))
            reclaim_add(&table->reclaim, (void *)(uintptr_t)old->pools[i], free_snapshot_pool, NULL);
    }
    reclaim_add(&table->reclaim, old, free_memory, NULL);
}

int objects_publish(struct table *table)
{
    struct publication *next, *old = table->published;

    if (!table->is_due)
        return 0;
    if (old && reclaim_reserve(&table->reclaim, old->snapshot.slot_count + 1) < 0)
        return -ENOMEM;
    next = publication_new(table);
    if (!next)
        return -ENOMEM;
    table->published = next;
    atomic_store_explicit(&table->current, &next->snapshot, memory_order_release);
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i])
            table->slots[i]->changed = false;
    }
    table->is_due = false;
    if (old)
        retire_publication(table, old);
    reclaim_seal(&table->reclaim, epoch_advance(table->epoch));
    return 0;
}

int table_publish(struct table *table)
{
    int error = objects_publish(table);

    if (error == 0)
        table_reclaim(table);
    return error;
}

size_t table_retired(const struct table *table)
{
    return table->reclaim.count;
}

void table_reclaim(struct table *table)
{
    reclaim_run(&table->reclaim, table->epoch);
}
