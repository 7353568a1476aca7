/* test/sim/evictions.h: sessions that are closed because their backend is down, has drained for too long, or is a backup that is no longer needed: what health
 * does, and what must hold. Part of the world. Test thread. */
#ifndef TEST_SIM_EVICTIONS_H
#define TEST_SIM_EVICTIONS_H

#include <stdint.h>

#include "config/settings.h"
#include "health/health.h"
#include "sim.h"

struct pair;
struct session;
struct world;

enum { EVICTIONS_NOTED = 64 };

/* What the checks know about a backend. */
struct eviction_record {
    uint64_t drains_ns;   /* since when it drains; NEVER: it does not */
    uint64_t evicts_ns;   /* since when its sessions are to be closed; NEVER: they are not */
};

/* The sessions that were closed in one pool. */
struct eviction_rate {
    uint64_t at_ns[EVICTIONS_NOTED];
    uint32_t count;       /* since the set of pools has changed */
    uint32_t fastest, slowest; /* of the close_rates that the pool has had */
    bool unlimited;       /* it has had close_rate = off */
};

struct evictions {
    struct health_workers workers;
    struct sim_event reviewing;
    uint32_t reviews;
};

/* Draws what a pool does with sessions. */
void evictions_draw(struct world *world, struct pool_settings *settings);
/* The pool may have these settings from now on. */
void evictions_note_settings(struct world *world, uint32_t pool, const struct pool_settings *settings);
/* Pools have come or gone: the rates start again. */
void evictions_note_pools(struct world *world);

void evictions_begin(struct world *world);
/* Health reviews the backends after a publication. */
void evictions_review(struct world *world);

/* Checks a session that is being closed for one of these reasons. */
void check_evicted(struct world *world, const struct session *session);
/* Checks a session that moves to another backend instead. */
void check_moved(struct world *world, const struct session *session);
/* Checks that a session that relays is not left open. */
void check_not_left(struct world *world, const struct session *session);
/* Whether nothing may have been in transit when the session was closed, so that its ends may hear a clean end. */
bool eviction_is_quiet(struct world *world, const struct session *session);

#endif
