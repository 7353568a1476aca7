/* table/backend.h: the live object of one backend: who it is, what is known about it, its limit and how many sessions it has.
 *
 * Made by the publisher (table/apply.c). It outlives snapshots: a session keeps a pointer to it while it holds a slot (table/lease.h) or a reference. A
 * backend that left the configuration is freed when every worker has passed a quiescent point since, and no slot and no reference is left.
 *
 * The slot count has acquire and release order, so that the publisher may free the object when it reads zero. All other shared fields are
 * immutable, or a word on which no other memory depends (relaxed), or a pointer to something immutable (release and acquire). */
#ifndef TABLE_BACKEND_H
#define TABLE_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "table/backend_state.h"

struct backend_settings;
struct config_backend;
struct pool;

struct backend {
    /* Identity: immutable. */
    const char *name;          /* unique in its pool; in the object's own memory */
    struct pool *pool;         /* outlives it */
    struct addr addr;
    uint32_t id;               /* unique in its pool for ever: a backend that was removed and added again is another one */

    /* Written by the publisher, read by any thread. */
    _Atomic(const struct backend_settings *) settings; /* replaced as a whole; the old ones stay until every worker has passed a quiescent point */
    _Atomic uint32_t state;    /* table/backend_state.h; relaxed */

    /* The publisher's alone. */
    struct list link;          /* in the list of all its kind, those that are leaving included */
    bool leaving;              /* out of the configuration: waits to be unused, and can come back until it is condemned */
    bool condemned;            /* unused for good: about to be freed */
    bool named;                /* by the configuration that is being applied */
    struct target *target;     /* how health probes it; NULL: it does not */

    /* Written by every worker. */
    _Alignas(64) _Atomic uint32_t in_flight; /* slots taken: sessions connecting to or relaying with this backend */
    _Atomic uint32_t references;             /* pointers kept without a slot */
    _Atomic uint32_t max_connections;        /* a copy of the setting, where selecting needs it; 0: no limit; relaxed */
};

/* An idle live object, in its pool's list of all, or NULL: out of memory. `config` is read during the call. Publisher. */
struct backend *backend_new(struct pool *pool, const struct config_backend *config, uint32_t id);
/* Asserts that no slot is taken and no reference left. NULL is allowed. Publisher. */
void backend_free(struct backend *backend);

/* Any thread that is online in the epoch, or the publisher: valid until its next quiescent point. */
static inline const struct backend_settings *backend_settings(const struct backend *backend)
{
    return atomic_load_explicit(&backend->settings, memory_order_acquire);
}

/* Replaces the settings and returns the old ones, which readers may still hold. Publisher. */
const struct backend_settings *backend_replace_settings(struct backend *backend, const struct backend_settings *settings);

/* Writes one source's part of the state. Returns whether that changed what the whole means. Publisher. */
bool backend_set_state(struct backend *backend, enum backend_source source, unsigned value);

/* The word of table/backend_state.h. Any thread. */
uint32_t backend_state(const struct backend *backend);

/* What it means. Any thread. */
enum backend_standing backend_standing(const struct backend *backend);

/* Takes a slot unless the backend is at max_connections (compare-and-swap: never above the limit, over all workers). Every true must be paired with exactly one
 * backend_release(), which is for table/lease.c. Any worker. */
bool backend_reserve(struct backend *backend);
/* Gives a slot back. Asserts that one was taken. The object may be freed after the worker's next quiescent point. */
void backend_release(struct backend *backend);

/* Keeps the object without a slot, and lets it go. Any worker. */
void backend_hold(struct backend *backend);
void backend_drop(struct backend *backend);

/* Slots taken now: exact at some moment during the call. Any thread. */
uint32_t backend_in_flight(const struct backend *backend);

/* At its limit at some moment during the call. Any thread. */
bool backend_full(const struct backend *backend);

/* Neither slots nor references are taken. Publisher. */
bool backend_is_unused(const struct backend *backend);

#endif
