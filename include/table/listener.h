/* table/listener.h: the live object of one listener: its name, settings, pool and limit. Its sockets are control's, and an acceptor's of each worker.
 *
 * Made by the publisher (table/apply.c). A listener is what the configuration calls one: all of its addresses share its limit. One that left the configuration
 * is freed when every worker has passed a quiescent point since, no session uses it, and no socket is left. */
#ifndef TABLE_LISTENER_H
#define TABLE_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "table/limit.h"

struct config_listener;
struct listener_settings;
struct pool;

struct listener {
    /* Identity: immutable. */
    const char *name;          /* unique; in the object's own memory */

    /* Written by the publisher, read by any thread. */
    _Atomic(const struct listener_settings *) settings; /* replaced as a whole; the old ones stay until every worker has passed a quiescent point */
    _Atomic(struct pool *) pool; /* likewise: where new sessions go */

    /* The publisher's alone. */
    struct list link;          /* in the list of all its kind, those that are leaving included */
    bool leaving;              /* out of the configuration: waits to be unused, and can come back until it is condemned */
    bool condemned;            /* unused for good: about to be freed */
    bool named;                /* by the configuration that is being applied */

    /* Written by every worker. */
    struct limit connections;  /* max_connections, and how many there are */
    _Alignas(64) _Atomic uint32_t references; /* of acceptors; release, as in table/backend.h */
};

/* A live object, or NULL: out of memory. `config` is read during the call; `workers` are those who may wait for its limit, NULL: nobody. Publisher. */
struct listener *listener_new(const struct config_listener *config, struct pool *pool, const struct limit_workers *workers);
/* Asserts that nobody uses it. NULL is allowed. Publisher. */
void listener_free(struct listener *listener);

/* Any thread that is online in the epoch, or the publisher: valid until its next quiescent point. */
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
/* From now on new sessions go there. Those that are being accepted may still go to the old one. Publisher. */
void listener_replace_pool(struct listener *listener, struct pool *pool);

/* Keeps the object, and lets it go. Any worker. */
void listener_hold(struct listener *listener);
void listener_drop(struct listener *listener);

/* No session and no reference is left. Publisher. */
bool listener_is_unused(const struct listener *listener);

#endif
