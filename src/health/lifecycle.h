/* health/lifecycle.h: follows the drains and the maintenance of backends, decides whose sessions are closed, and logs both. Health thread only.
 *
 *   sessions of a backend                                        are closed if
 *   ---------------------                                        -------------
 *   that a probe, the agent or the administrator says is down    on_down = close
 *   that drains, or has left the configuration                   this has lasted for drain_timeout
 *   that is a backup while a backend that is none is usable      on_failback = close
 *
 * The workers close them (worker/evict.h). A session whose backend was selected just before may be missed, so the order is repeated until none is left. A
 * session that fails over to a backup after the last one was closed stays until the next review: no other backend could be connected. */
#ifndef HEALTH_LIFECYCLE_H
#define HEALTH_LIFECYCLE_H

#include <stdint.h>

struct health_workers;
struct table;

struct lifecycle {
    struct table *table;                  /* borrowed */
    const struct health_workers *workers; /* borrowed; NULL: there are none */
    uint64_t wake_ns;                     /* when the next review is due; UINT64_MAX: only after a change of the table */
};

/* Both must outlive it. */
void lifecycle_init(struct lifecycle *lifecycle, struct table *table, const struct health_workers *workers);
/* Gives back the references to backends that drain. */
void lifecycle_deinit(struct lifecycle *lifecycle);

/* Reviews all backends. After every publication, and when the time of the last review has come. `now_ns`: clock_now_ns(). */
void lifecycle_review(struct lifecycle *lifecycle, uint64_t now_ns);

#endif
