/* table/ramp.h: how a slow start grows. The share of its weight and of its max_connections that a backend has begins at RAMP_FIRST percent. It grows by
 * RAMP_STEP percent, at equal times, to all of it at the end. Worked example: slow_start = 30s has 18 steps; after 5 s, the third is done: the share is 25 %.
 *
 * Few steps, because each rebuilds the pool's snapshot; and all are multiples of 5 %, so that the sequences of round robin stay short. Pure; any thread. */
#ifndef TABLE_RAMP_H
#define TABLE_RAMP_H

#include <stdint.h>

enum { RAMP_FIRST = 10, RAMP_STEP = 5, RAMP_WHOLE = 100 };

/* The share in percent, `elapsed_ns` after the slow start began. RAMP_WHOLE: it is over. `duration_ms` is at least 1. */
uint32_t ramp_share(uint64_t elapsed_ns, uint32_t duration_ms);

/* When the share grows next, in nanoseconds after the slow start began, and at least 100 ms after `elapsed_ns`. The slow start must not be over. */
uint64_t ramp_next_ns(uint64_t elapsed_ns, uint32_t duration_ms);

#endif
