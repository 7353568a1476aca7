/* health/share.h: finds the targets that one probe can serve, because everything that the probe depends on is the same: the address, and the settings of the
 * check. Backends of several pools with one server are such targets. One of them, the leader, is probed, and the others get its results.
 *
 * How a result is judged does not matter for this, so rise and fall, for example, may differ.
 *
 * A state that the caller owns; one thread. */
#ifndef HEALTH_SHARE_H
#define HEALTH_SHARE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/list.h"
#include "config/settings.h"

#define SHARE_BUCKETS 1024

/* Embedded in a target. */
struct share {
    const struct addr *addr;              /* to probe; borrowed; does not change between share_join() and share_leave() */
    const struct pool_settings *settings; /* borrowed, like the address */
    struct share *leader; /* NULL: it is in no group */
    struct list others;   /* of a leader: the rest of the group, by `link` */
    struct list link;     /* of a leader: in its bucket */
};

/* The leaders, by a hash of their addresses. */
struct share_table {
    struct list buckets[SHARE_BUCKETS];
};

void share_init(struct share_table *table);

/* Joins the group with the same address and check, or leads a new one. Returns whether it leads. `addr` and `settings` must be set. */
bool share_join(struct share_table *table, struct share *share);

/* Leaves the group. Returns the new leader if it has led others, else NULL. Does nothing if it is in no group. */
struct share *share_leave(struct share_table *table, struct share *share);

#endif
