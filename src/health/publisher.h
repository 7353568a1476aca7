/* health/publisher.h: publishes and logs when probes change the state of a backend, with a limited rate; and what follows for its sessions. Health thread. */
#ifndef HEALTH_PUBLISHER_H
#define HEALTH_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "health/lifecycle.h"
#include "table/table.h"

struct publisher {
    struct table *table;    /* borrowed; the publisher is its only writer */
    bool pending;           /* a change is not published yet */
    bool complained;        /* the present lack of memory was logged */
    uint64_t publish_at_ns; /* time of the next publication, if pending */
    uint64_t published_ns;  /* time of the last publication; 0: never */
    struct lifecycle lifecycle;
    uint64_t advance_at_ns; /* when a slow start goes on; UINT64_MAX: none is under way */
    uint64_t reclaim_at_ns; /* when to reclaim retired snapshots; UINT64_MAX: none is retired */
};

struct publisher_change {
    struct backend *backend;
    const struct addr *probed;  /* address that was probed */
    const char *reason;         /* of the last failure or timeout; not used if the backend went up */
    enum backend_probe_state from, to; /* different */
    bool heard;                 /* BUSY: its sessions move bytes; otherwise it has answered the probe before */
};

/* Borrows the table and the workers, which must outlive the publisher. `workers` may be NULL: there are none. The process has started: backends that become
 * usable from now on start slowly. */
void publisher_init(struct publisher *publisher, struct table *table, const struct health_workers *workers, uint64_t now_ns);
void publisher_deinit(struct publisher *publisher);

/* Records the change in the table and logs it. Readers see it after publisher_run(). */
void publisher_change(struct publisher *publisher, const struct publisher_change *change, uint64_t now_ns);

/* Writes one source's part of a backend's state (table_set_state()), without a log line. Readers see it after publisher_run(). */
void publisher_set(struct publisher *publisher, struct backend *backend, enum backend_source source, unsigned value, uint64_t now_ns);

/* Sets the weight that an agent says. Readers see it after publisher_run(). */
void publisher_set_weight(struct publisher *publisher, struct backend *backend, struct capacity_weight weight, uint64_t now_ns);

/* Call it after the set of live objects was changed, and published if there was memory for that. */
void publisher_applied(struct publisher *publisher, uint64_t now_ns);

/* Publishes pending changes, at most once in 10 ms, and the steps of slow starts. Then reviews whose sessions are closed. Frees retired snapshots that no
 * reader uses any more. */
void publisher_run(struct publisher *publisher, uint64_t now_ns);

/* Returns when publisher_run() must be called next; UINT64_MAX: only after a change. */
uint64_t publisher_wake_ns(const struct publisher *publisher);

#endif
