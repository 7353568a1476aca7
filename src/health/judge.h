/* health/judge.h: when a row of probe results turns a backend up or down, and when to probe next.
 *
 * Pure functions of explicit state; any thread. */
#ifndef HEALTH_JUDGE_H
#define HEALTH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

struct judge {
    bool up;
    uint32_t against; /* results in a row that speak against `up`; 0: no doubt */
};

/* True when this result changed `judge->up`: `rise` good ones in a row while down, or `fall` bad ones in a row while
 * up; one result of the other kind starts the row anew. */
bool judge_result(struct judge *judge, const struct pool_settings *settings, bool passed);

/* Milliseconds to the next probe: check_fast_interval while in doubt, check_down_interval while down, else
 * check_interval; each within check_jitter_percent of that, uniformly, so that many backends and many balancers do
 * not fall into step. At least 1. `random` is the state of random_next(). */
uint32_t judge_interval_ms(const struct judge *judge, const struct pool_settings *settings, uint64_t *random);

/* Milliseconds from the start to the first probe of number `index` of `count` probed backends: spread evenly over the
 * pool's check_interval or one second, whichever is shorter. */
uint32_t judge_first_ms(const struct pool_settings *settings, size_t index, size_t count);

#endif
