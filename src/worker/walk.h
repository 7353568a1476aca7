/* worker/walk.h: visits all sessions or all flows of a worker, a slice at a time, so that no turn takes longer because there are many. The worker's thread.
 *
 * A walk goes along a list to which new objects are appended. It visits each object that was in the list when it began and has not left it since, once and in
 * the order of the list, and it may visit some that have come since. Several walks may be under way at once. An object must not leave its list without
 * walk_forget(). */
#ifndef WORKER_WALK_H
#define WORKER_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/timer_wheel.h"

struct walk;
struct worker;

/* What a walk does. Constant. */
struct walk_kind {
    uint32_t slice_ms;    /* from one slice to the next */
    uint32_t visited_max; /* number of objects visited in a slice */
    uint32_t cost_max;    /* a slice ends when its visits have cost this much */
    /* Visits the object with this link. Returns what that has cost, in a unit of its own. The object may leave the list, and others too. */
    uint32_t (*visit)(struct walk *walk, struct list *link);
    /* The walk is over. It may be freed or begun again. NULL: nothing is to be done. */
    void (*done)(struct walk *walk);
};

/* Embedded in the object that the walk is for. */
struct walk {
    const struct walk_kind *kind;
    struct worker *worker;
    struct list link;     /* in worker->walks, while it is under way; else unlinked */
    struct timer timer;   /* armed while it is under way: the next slice */
    struct list *head;    /* the list */
    struct list *next;    /* the next object to visit; the head: there is none */
    uint32_t left;        /* number of objects that are left to visit */
    uint32_t count;       /* with `again`: number of objects at the start of the next pass */
    bool again;           /* when all are visited, visit all once more */
};

void walk_init(struct walk *walk, struct worker *worker, const struct walk_kind *kind);

/* Begins to visit the objects of a list, which has `count` of them; the first slice comes in this turn or a moment later. If the walk is under way, it goes on
 * and then visits all once more. */
void walk_begin(struct walk *walk, struct list *head, uint32_t count);

/* Ends it without `done`. Does nothing if it is not under way. */
void walk_stop(struct walk *walk);

/* The object with this link is about to leave its list. */
void walk_forget(struct worker *worker, struct list *link);

#endif
