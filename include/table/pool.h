/* table/pool.h: the live object of one pool: its name, settings and backends, and how many sessions use it.
 *
 * Made by the publisher (table/apply.c), which alone reads and writes the list of backends: workers see those that may be picked in a snapshot. A pool that
 * left the configuration is freed when every worker has passed a quiescent point since, no session uses it, and its backends and the listeners that named it
 * are gone. */
#ifndef TABLE_POOL_H
#define TABLE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct backend;
struct config_pool;
struct pool_settings;
struct snapshot_set;
struct table;

struct pool {
    /* Identity: immutable. */
    const char *name;          /* unique; in the object's own memory */
    uint32_t slot;             /* its place in every snapshot while it lives */

    /* Written by the publisher, read by any thread. */
    _Atomic(const struct pool_settings *) settings; /* replaced as a whole; the old ones stay until every worker has passed a quiescent point */

    /* The publisher's alone. */
    struct table *table;       /* whose slot it has */
    struct backend **backends; /* those of the configuration, in its order; the array is owned */
    size_t backend_count;
    struct snapshot_set *set;  /* what the selector has built from the backends and settings (table/snapshot.h); owned; NULL: nothing. Snapshots borrow it */
    size_t usable;             /* of these, those that take new sessions, backups included */
    uint32_t next_id;          /* of the next backend */
    struct list all_backends;  /* those that are leaving included; the list owns them */
    uint32_t listeners;        /* that name it, those that are leaving included */
    bool changed;              /* what the published snapshot shows of it is out of date */
    struct list link;          /* in the list of all its kind, those that are leaving included */
    bool leaving;              /* out of the configuration: waits to be unused, and can come back until it is condemned */
    bool condemned;            /* unused for good: about to be freed */
    bool named;                /* by the configuration that is being applied */

    /* Written by every worker. */
    _Alignas(64) _Atomic uint32_t cursor;   /* round robin: the next place in the sequence; relaxed, wraps */
    _Alignas(64) _Atomic uint32_t sessions; /* sessions that hold a lease (table/lease.h); release order: the publisher may free the pool when it reads zero */
};

/* A live object without backends, or NULL: out of memory. `config` is read during the call. Publisher. */
struct pool *pool_new(struct table *table, const struct config_pool *config, uint32_t slot);
/* Asserts that nobody uses it. NULL is allowed. Publisher. */
void pool_free(struct pool *pool);

/* Any thread that is online in the epoch, or the publisher: valid until its next quiescent point. */
static inline const struct pool_settings *pool_settings(const struct pool *pool)
{
    return atomic_load_explicit(&pool->settings, memory_order_acquire);
}

/* Replaces the settings and returns the old ones, which readers may still hold. Publisher. */
const struct pool_settings *pool_replace_settings(struct pool *pool, const struct pool_settings *settings);

/* Counts a session that begins or ends to use it. For table/lease.c. Any worker. */
void pool_enter(struct pool *pool);
void pool_leave(struct pool *pool);

/* The next place of the shared cursor: counts from 0, wraps at 2^32. Any worker. */
uint32_t pool_next_turn(struct pool *pool);

/* Sessions now. Any thread. */
uint32_t pool_sessions(const struct pool *pool);

/* No session, backend or listener uses it. Publisher. */
bool pool_is_unused(const struct pool *pool);

#endif
