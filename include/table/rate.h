/* table/rate.h: a limit on how often something may happen, counted over all workers. Any worker; lock-free.
 *
 * This is the generic cell rate algorithm (ITU-T I.371, virtual scheduling): an event at time t passes if the next one is due no later than t + burst; then the
 * next one is due 1 / rate after max(t, due). So over any span T, at most rate * (T + burst) + 1 events pass. */
#ifndef TABLE_RATE_H
#define TABLE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing has passed yet. */
struct rate {
    _Alignas(64) _Atomic uint64_t due_ns;
};

/* Whether one more event passes at `now_ns` (clock_now_ns()). `per_second`: at least 1. `burst_ns`: how far events may be ahead of the rate. */
bool rate_take(struct rate *rate, uint64_t now_ns, uint32_t per_second, uint64_t burst_ns);

#endif
