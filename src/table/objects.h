/* table/objects.h: the inside of the table, for table.c, which publishes, apply.c, which changes the set of live objects, and change.c, which changes one.
 * Publisher. */
#ifndef TABLE_OBJECTS_H
#define TABLE_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/history.h"
#include "table/reclaim.h"
#include "table/table.h"

struct publication;

struct table {
    _Alignas(64) _Atomic(const struct snapshot *) current; /* stored by the publisher, loaded by workers */

    /* Used only by the publisher. */
    _Alignas(64) struct epoch *epoch;
    const struct table_prepare *prepare; /* NULL: nothing is added to pools */
    const struct limit_workers *workers; /* the workers that may wait at the limits of listeners; NULL: none */
    uint64_t seed;                /* of the keyed hash */
    struct listener **listeners;  /* those in the configuration, in its order; owns the array */
    size_t listener_count;
    struct pool **pools;          /* likewise */
    size_t pool_count;
    struct pool **slots;          /* by slot; NULL: free. A pool keeps its slot until it is freed, so that no session mistakes another pool for its own */
    size_t slot_count;
    uint64_t started_ns;          /* time of the first table_advance(); 0: the process is starting */
    struct list ramping;          /* backends in their slow start */
    bool is_due;                  /* something changed since the last publication */
    struct publication *published;
    struct list all_listeners;    /* including those that are leaving; the lists own the objects */
    struct list all_pools;
    struct reclaim reclaim;
    struct history history;
};

/* table_publish() without freeing anything, so that the caller can first drop pointers to retired objects. */
int objects_publish(struct table *table);

/* Frees an unused pool and its slot. */
void objects_free_pool(struct pool *pool);

#endif
