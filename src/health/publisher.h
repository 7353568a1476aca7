/* health/publisher.h: what follows when a backend goes up or down: the table, the log, and not too often. Health thread only. */
#ifndef HEALTH_PUBLISHER_H
#define HEALTH_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "table/table.h"

struct publisher {
    struct table *table;    /* borrowed; the publisher is its only writer */
    bool pending;           /* a change is not published yet */
    bool complained;        /* about the present lack of memory */
    uint64_t publish_at_ns; /* when pending */
    uint64_t published_ns;  /* the last time; 0: never */
    uint64_t reclaim_at_ns; /* UINT64_MAX: nothing is retired */
};

struct publisher_change {
    struct backend *backend;
    const struct addr *probed;  /* where the probes went */
    const char *reason;         /* of the last failure; not used when it went up */
    bool up;
};

/* Borrows the table, which outlives it. */
void publisher_init(struct publisher *publisher, struct table *table);

/* Notes the change in the table and says it in the log; readers see it after publisher_run(). */
void publisher_change(struct publisher *publisher, const struct publisher_change *change, uint64_t now_ns);

/* The set of live objects was changed, and published if there was memory for that. */
void publisher_applied(struct publisher *publisher, uint64_t now_ns);

/* Publishes when something changed, at most once per 10 ms; frees what readers have left behind. */
void publisher_run(struct publisher *publisher, uint64_t now_ns);

/* When publisher_run() has something to do next; UINT64_MAX: only after a change. */
uint64_t publisher_wake_ns(const struct publisher *publisher);

#endif
