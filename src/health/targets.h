/* health/targets.h: what is probed: a target for each backend whose pool has a check, and when each is due. Health thread only.
 *
 *      idle --due--> waiting --room--> probing --result or time limit--> idle
 *
 * Each target has one deadline in one heap: the next probe while idle, the time limit while a probe is under way. A due target that finds HEALTH_PROBES_MAX probes
 * under way waits in line. */
#ifndef HEALTH_TARGETS_H
#define HEALTH_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "health/due.h"
#include "health/probe.h"
#include "health/publisher.h"

#define TARGETS_KINDS 2 /* of checks that probe */

struct targets {
    struct publisher *publisher; /* borrowed; its table says what there is to probe */
    struct prober *probers[TARGETS_KINDS]; /* NULL: no pool has had that kind of check */
    struct list all;             /* owned */
    size_t count;
    struct list waiting;         /* for room, in the order in which they became due */
    struct due_heap due;
    size_t under_way;            /* probes */
    uint64_t random;
    uint64_t no_means_logged_ns; /* 0: never */
};

/* Empty. */
void targets_init(struct targets *targets, struct publisher *publisher);
/* Abandons the probes under way and frees. */
void targets_deinit(struct targets *targets);

/* Makes the targets what the table's live objects ask for: those of backends that have left go, those whose settings changed start anew, and missing ones are added.
 * After every table_apply(), and before the table frees anything. 0, or a negative errno: some backends are not probed; try again later. */
int targets_sync(struct targets *targets);

/* Starts the probes that are due, and ends those whose time is up. */
void targets_run(struct targets *targets);

/* Handles what has happened to the probes under way. */
void targets_process(struct targets *targets);

/* When to call targets_process() and targets_run() at the latest; UINT64_MAX: no such time. */
uint64_t targets_wake_ns(const struct targets *targets);

#endif
