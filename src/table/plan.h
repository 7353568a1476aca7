/* table/plan.h: how the live objects must change to match a configuration. The plan is complete, and all its memory allocated, before anything changes.
 * Publisher. */
#ifndef TABLE_PLAN_H
#define TABLE_PLAN_H

#include "config/config.h"
#include "table/objects.h"

struct plan_backend {
    struct backend *backend;
    bool is_new;
    struct backend_settings *settings; /* its new settings; NULL: they do not change, or the object is new */
};

struct plan_pool {
    struct pool *pool;
    bool is_new;
    struct pool_settings *settings;    /* likewise */
    struct backend **array;            /* the pool's new list of backends */
    struct plan_backend *backends;
    size_t backend_count;
    bool replaces_set;
    struct snapshot_set *set;          /* its new set, if it is replaced; NULL: none */
};

struct plan_listener {
    struct listener *listener;
    bool is_new;
    struct listener_settings *settings; /* likewise */
    struct pool *pool;                  /* its new pool */
};

/* One row for each object of the configuration, in its order. Live objects without a row will be retired; their `named` is false. */
struct plan {
    struct plan_pool *pools;
    size_t pool_count;
    struct plan_listener *listeners;
    size_t listener_count;
    struct pool **pool_array;           /* the table's new lists */
    struct listener **listener_array;
};

/* Makes a plan. Returns 0 or -ENOMEM. Does not change the table's objects. Call plan_deinit() in any case. */
int plan_init(struct plan *plan, struct table *table, const struct config *config);

/* Frees what the plan has allocated, including new objects. A caller that has taken something over has set its pointer to NULL. */
void plan_deinit(struct plan *plan);

#endif
