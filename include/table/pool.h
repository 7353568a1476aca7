/* table/pool.h: the live object of one pool: its name, settings and backends, and how many sessions use it.
 *
 * The publisher makes it (table/apply.c). Only the publisher uses the list of backends: workers find the backends that may be selected in a snapshot. A pool
 * that has left the configuration is freed after every worker has passed a quiescent point, no session uses it, and its backends and the listeners that lead
 * to it are freed. */
#ifndef TABLE_POOL_H
#define TABLE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "table/rate.h"
#include "table/service.h"
#include "table/stats.h"

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
    _Atomic(const struct pool_settings *) settings; /* replaced as a whole; the old ones are freed after every worker has passed a quiescent point */

    /* Used only by the publisher. */
    struct table *table;       /* the table that the pool belongs to */
    struct backend **backends; /* those in the configuration, in its order; owns the array, not the backends */
    size_t backend_count;
    struct snapshot_set *set;  /* built by the selector from backends and settings (table/snapshot.h); owned; snapshots borrow it. NULL: none */
    struct service service;    /* who takes new sessions by the last publication (table/service.h) */
    enum service_rule service_logged; /* the rule that health has last logged */
    size_t usable;             /* number of `backends` that take new sessions, including backups */
    uint32_t next_id;          /* id of the next new backend */
    struct list all_backends;  /* including those that are leaving; owns the backends */
    struct report_traffic gone; /* sums of the backends that are freed */
    struct report_events gone_events;
    uint32_t listeners;        /* number of listeners that lead to it, including those that are leaving */
    bool changed;              /* its published snapshot is out of date */
    struct list link;          /* in the list of all objects of its kind, including those that are leaving */
    bool leaving;              /* it has left the configuration; until it is condemned, a new configuration may bring it back */
    bool condemned;            /* it is unused and will not be used again: it will be freed */
    bool named;                /* the configuration that is being applied has this pool */

    /* Written by every worker. */
    _Alignas(64) _Atomic uint32_t cursor;   /* round robin: the next place in the sequence; relaxed, wraps */
    struct rate evictions;                  /* how many sessions of its backends may be closed: close_rate */
    _Alignas(64) _Atomic uint32_t sessions; /* sessions that hold a lease (table/lease.h); release order: the publisher may free the pool when it reads zero */
    _Atomic bool alarmed;      /* a worker has told the publisher of a failure; cleared by the publisher; acquire and release */
};

/* Makes a live object without backends. NULL: out of memory. `config` is read only during the call. Publisher. */
struct pool *pool_new(struct table *table, const struct config_pool *config, uint32_t slot);
/* Frees it. Asserts that it is unused. NULL is allowed. Publisher. */
void pool_free(struct pool *pool);

/* The present settings, valid until the next quiescent point of the caller. Any thread that is online in the epoch, and the publisher. */
static inline const struct pool_settings *pool_settings(const struct pool *pool)
{
    return atomic_load_explicit(&pool->settings, memory_order_acquire);
}

/* Replaces the settings and returns the old ones, which readers may still hold. Publisher. */
const struct pool_settings *pool_replace_settings(struct pool *pool, const struct pool_settings *settings);

/* Counts a session that starts to use the pool, or ends. Only for table/lease.c. Any worker. */
void pool_enter(struct pool *pool);
void pool_leave(struct pool *pool);

/* Returns the shared cursor and increments it. It starts at 0 and wraps at 2^32. Any worker. */
uint32_t pool_next_turn(struct pool *pool);

/* Notes that a session with one of its backends has failed. Returns true if no alarm was raised: then the publisher must be told. Only for
 * backend_note_failure(). Any worker. */
bool pool_raise_alarm(struct pool *pool);
/* Whether an alarm was raised since the last call. The caller sees what was noted before it was raised (release and acquire). Publisher. */
bool pool_take_alarm(struct pool *pool);

/* Number of sessions that use it now. Any thread. */
uint32_t pool_sessions(const struct pool *pool);

/* Whether no session, backend or listener uses it. Publisher. */
bool pool_is_unused(const struct pool *pool);

#endif
