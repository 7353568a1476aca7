/* table/objects.h: the table from within: what table.c, which publishes, and apply.c, which changes the set of objects, share. Publisher. */
#ifndef TABLE_OBJECTS_H
#define TABLE_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/reclaim.h"
#include "table/table.h"

struct publication;

struct table {
    _Alignas(64) _Atomic(const struct snapshot *) current; /* stored by the publisher, loaded by workers */

    /* The publisher's alone. */
    _Alignas(64) struct epoch *epoch;
    const struct table_prepare *prepare; /* NULL: nothing is added to pools */
    const struct limit_workers *workers; /* who may wait for a listener's limit; NULL: nobody */
    uint64_t seed;                /* of the keyed hash */
    struct listener **listeners;  /* those of the configuration, in its order; the array is owned */
    size_t listener_count;
    struct pool **pools;          /* likewise */
    size_t pool_count;
    struct pool **slots;          /* by slot; NULL: free. A pool keeps its slot until it is freed, so that no session takes another pool for its own */
    size_t slot_count;
    bool is_due;                  /* something changed since the last publication */
    struct publication *published;
    struct list all_listeners;    /* those that are leaving included; the lists own them */
    struct list all_pools;
    struct reclaim reclaim;
};

/* table_publish() without freeing anything, so that the caller can first drop pointers to retired objects. */
int objects_publish(struct table *table);

/* Frees a pool that nobody uses, and its slot. */
void objects_free_pool(struct pool *pool);

#endif
