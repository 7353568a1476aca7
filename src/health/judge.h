/* health/judge.h: decides when probe results turn a backend up or down, and when to probe next.
 *
 * Pure functions of a state that the caller owns; any thread. */
#ifndef HEALTH_JUDGE_H
#define HEALTH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

struct judge {
    bool up;
    uint32_t against; /* consecutive results that contradict `up`; 0: the last one agreed */
};

/* Adds a result. Returns whether it changed `judge->up`: after `rise` consecutive successes while down, or `fall` consecutive failures while up. A result that
 * agrees with `up` restarts the count. */
bool judge_result(struct judge *judge, const struct pool_settings *settings, bool passed);

/* Returns the milliseconds to the next probe, at least 1: check_fast_interval while results contradict the state, check_down_interval while down, else
 * check_interval. The result varies uniformly by check_jitter_percent, so that many backends and load balancers do not synchronise. `random` is the state of
 * random_next(). */
uint32_t judge_interval_ms(const struct judge *judge, const struct pool_settings *settings, uint64_t *random);

/* Returns the milliseconds from the start to the first probe of backend `index` of `count` probed backends. First probes are spread evenly over the pool's
 * check_interval or one second, whichever is shorter. */
uint32_t judge_first_ms(const struct pool_settings *settings, size_t index, size_t count);

#endif
