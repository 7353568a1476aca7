/* table/backend.h: the live object of one backend: what outlives snapshots and counts sessions.
 *
 * Created by the table before the first worker starts, freed by table_free() after the last one ended.
 * Writers and readers: every worker. */
#ifndef TABLE_BACKEND_H
#define TABLE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct backend {
    /* Immutable after creation. */
    const char *name;          /* unique in its pool; borrowed from the configuration */
    struct addr addr;
    uint32_t id;               /* position in the pool's list in the file; stable for the life of the process */
    uint32_t max_connections;  /* 0: no limit */

    /* Shared. Relaxed order is enough: it is a count on its own; nothing else is published through it. */
    _Alignas(64) _Atomic uint32_t in_flight; /* slots reserved: sessions connecting to or relaying with this backend */
};

struct config_backend;

/* Fills a new, idle live object; `config` is borrowed for the life of the object. The table, before any worker starts. */
void backend_init(struct backend *backend, const struct config_backend *config, uint32_t id);

/* Takes a slot unless the backend is at max_connections (compare-and-swap: never above the limit, over all workers).
 * Every true must be paired with exactly one backend_release(). Any worker. */
bool backend_reserve(struct backend *backend);

/* Gives a slot back. Asserts that one was taken. */
void backend_release(struct backend *backend);

/* Slots taken now: exact at some moment during the call. */
uint32_t backend_in_flight(const struct backend *backend);

/* At its limit at some moment during the call. */
bool backend_full(const struct backend *backend);

#endif
