/* table/listener.h: the live object of one listener: its name, settings, pool and limits. Its sockets belong to control, and then to the workers.
 *
 * The publisher makes it (table/apply.c). A listener is a section of the configuration: all of its addresses share its limit. A listener that has left the
 * configuration is freed after every worker has passed a quiescent point, no session or flow uses it, and no socket is left. */
#ifndef TABLE_LISTENER_H
#define TABLE_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "table/limit.h"
#include "table/rate.h"
#include "table/stats.h"

struct config_listener;
struct listener_settings;
struct pool;
struct sources;

struct listener {
    /* Identity: immutable. */
    const char *name;          /* unique; in the object's own memory */

    /* Written by the publisher, read by any thread. */
    _Atomic(const struct listener_settings *) settings; /* replaced as a whole; the old ones are freed after every worker has passed a quiescent point */
    _Atomic(struct pool *) pool; /* the pool of new sessions; it may change too */

    /* Used only by the publisher. */
    struct list link;          /* in the list of all objects of its kind, including those that are leaving */
    bool leaving;              /* it has left the configuration; until it is condemned, a new configuration may bring it back */
    bool condemned;            /* it is unused and will not be used again: it will be freed */
    bool named;                /* the configuration that is being applied has this listener */

    /* Written by every worker. */
    struct limit connections;  /* max_connections, and the present number */
    struct limit flows;        /* max_flows, and the present number; nobody waits at it */
    struct rate flow_rate;     /* new flows */
    struct sources *sources;   /* flows of each client address; NULL: the listener serves no UDP */
    _Alignas(64) _Atomic uint32_t references; /* number of sockets; release order, as in table/backend.h */
    struct stats_listener stats; /* table/stats.h */
};

/* Makes a live object. NULL: out of memory. `config` is read only during the call. `workers` may wait at its limit; NULL: no worker may. Publisher. */
struct listener *listener_new(const struct config_listener *config, struct pool *pool, const struct limit_workers *workers);
/* Frees it. Asserts that it is unused. NULL is allowed. Publisher. */
void listener_free(struct listener *listener);

/* The present settings and pool, valid until the next quiescent point of the caller. Any thread that is online in the epoch, and the publisher. */
static inline const struct listener_settings *listener_settings(const struct listener *listener)
{
    return atomic_load_explicit(&listener->settings, memory_order_acquire);
}

static inline struct pool *listener_pool(const struct listener *listener)
{
    return atomic_load_explicit(&listener->pool, memory_order_acquire);
}

/* Replaces the settings and returns the old ones, which readers may still hold. Publisher. */
const struct listener_settings *listener_replace_settings(struct listener *listener, const struct listener_settings *settings);
/* Makes new sessions use another pool. Sessions that are being accepted now may still use the old one. Publisher. */
void listener_replace_pool(struct listener *listener, struct pool *pool);

/* Takes a reference, which keeps the object, and gives it back. Any worker. */
void listener_hold(struct listener *listener);
void listener_drop(struct listener *listener);

/* Whether no session, flow or socket uses it. Publisher. */
bool listener_is_unused(const struct listener *listener);

#endif
