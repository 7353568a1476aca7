/* table/plan.h: how the live objects must change to be as a configuration says: found, and all memory for it allocated, before anything changes. Publisher. */
#ifndef TABLE_PLAN_H
#define TABLE_PLAN_H

#include "config/config.h"
#include "table/objects.h"

struct plan_backend {
    struct backend *backend;
    bool is_new;
    struct backend_settings *settings; /* its next ones; NULL: unchanged, or new */
};

struct plan_pool {
    struct pool *pool;
    bool is_new;
    struct pool_settings *settings;    /* likewise */
    struct backend **array;            /* the pool's next list of backends */
    struct plan_backend *backends;
    size_t backend_count;
    bool replaces_set;
    struct snapshot_set *set;          /* its next one if it is replaced; NULL: none */
};

struct plan_listener {
    struct listener *listener;
    bool is_new;
    struct listener_settings *settings; /* likewise */
    struct pool *pool;                  /* its next one */
};

/* What the configuration names, in its order. Live objects that are in no row are to be retired; their `named` is false. */
struct plan {
    struct plan_pool *pools;
    size_t pool_count;
    struct plan_listener *listeners;
    size_t listener_count;
    struct pool **pool_array;           /* the table's next lists */
    struct listener **listener_array;
};

/* Fills a plan. 0 or -ENOMEM; the table's objects are as before. Ends in plan_deinit() in any case. */
int plan_init(struct plan *plan, struct table *table, const struct config *config);

/* Frees what the plan has allocated, including new objects. A caller that has taken something over has set its pointer to NULL. */
void plan_deinit(struct plan *plan);

#endif
