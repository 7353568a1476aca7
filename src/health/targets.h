/* health/targets.h: the targets of probes, one for each backend whose pool has a check, and when each is due. Health thread only.
 *
 *      idle --due--> waiting --a probe ended--> probing --result or time limit--> idle
 *      served: another target is probed for it (health/share.h)
 *
 * Each target has one deadline in a common heap: its next probe while it is idle, its time limit while a probe is in flight. If probes_max probes are in
 * flight, a due target waits in a line (health/cap.h). */
#ifndef HEALTH_TARGETS_H
#define HEALTH_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "health/cap.h"
#include "health/due.h"
#include "health/probe.h"
#include "health/publisher.h"
#include "health/share.h"

#define TARGETS_KINDS 5 /* kinds of checks that probe */

struct ejection;

struct targets {
    struct publisher *publisher; /* borrowed; its table has the backends to probe */
    struct ejection *ejection;   /* borrowed; it is told of every result. NULL: nobody is */
    struct prober *probers[TARGETS_KINDS]; /* NULL: no pool has had this kind of check */
    struct list all;             /* owned */
    size_t count;
    struct due_heap due;
    struct share_table shares;   /* the groups of targets that one probe serves */
    struct cap cap;              /* due targets that wait, and the number of probes in flight */
    uint64_t random;
    uint64_t no_means_logged_ns; /* 0: never */
};

/* Makes an empty set. `probes_max`: the maximum number of probes in flight, 1 to HEALTH_PROBES_MAX. */
void targets_init(struct targets *targets, struct publisher *publisher, uint32_t probes_max);
/* Abandons the probes in flight and frees all targets. */
void targets_deinit(struct targets *targets);

/* Adjusts the targets to the table's live objects: removes those of removed backends, restarts those whose settings changed, and adds missing ones. Call it
 * after every table_apply(), before the table frees anything. Returns 0, or a negative errno if some backends are not probed; then call it again later. */
int targets_sync(struct targets *targets);

/* Starts the probes that are due, and ends those whose time is over. */
void targets_run(struct targets *targets);

/* Handles the events of the probes in flight. */
void targets_process(struct targets *targets);

/* Makes the next probe of a backend due now, or check_fast_interval after the start of the last one. Does nothing if it is due earlier, or if there is no
 * target. */
void targets_hurry(struct backend *backend, uint64_t now_ns);

/* Returns the latest time for the next targets_process() and targets_run(); UINT64_MAX: none. */
uint64_t targets_wake_ns(const struct targets *targets);

#endif
