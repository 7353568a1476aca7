/* health/judge.h: decides what probe results say about a backend, and when to probe next.
 *
 * A probe that fails (refused, reset, wrong answer) speaks against the backend. A probe that times out is ambiguous, because a busy server leaves its probes
 * unanswered too. What else has come from the backend decides. `heard` means that bytes have come from it on any session lately (judge_heard_since()).
 *
 *   result                in the state     counts as                    new state
 *   --------------------  ---------------  ---------------------------  -----------------------------------------------------------------
 *   passed                UP               ends every row               UP
 *   passed                BUSY             one of a row of passes       UP after `rise` of them
 *   passed                DOWN, TIMED_OUT  one of a row of passes       UP after `rise` of them
 *   timed out, heard      UP, BUSY         ends every row               BUSY
 *   timed out, not heard  UP, BUSY         one of a row of bad probes   after `fall` of them: TIMED_OUT, or DOWN if one of them has failed;
 *                                                                       before that: BUSY if the probe before has passed
 *   failed                UP, BUSY         one of a row of bad probes   DOWN after `fall` of them
 *   failed                TIMED_OUT        one of a row of failures     DOWN after `fall` of them: it no longer may be only busy
 *   timed out             TIMED_OUT        ends a row of passes         TIMED_OUT
 *   failed or timed out   DOWN             ends a row of passes         DOWN
 *
 * So a backend whose sessions move bytes is never taken out by timeouts, and a backend that answers every other probe stays BUSY instead of changing with each.
 * With busy_is_down = yes, a probe that times out has failed.
 *
 * Pure functions of a state that the caller owns; any thread. */
#ifndef HEALTH_JUDGE_H
#define HEALTH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "health/probe.h"
#include "table/backend_state.h"

struct judge {
    enum backend_probe_state state; /* not BACKEND_UNCHECKED */
    uint32_t passes;   /* in a row, while the state is not UP */
    uint32_t bad;      /* in a row: probes that failed, or timed out while nothing was heard */
    uint32_t failures; /* those of `bad` that failed */
    bool answered;     /* the last probe has passed */
};

/* Adds a result: passed, failed or timed out. `heard` matters only for the last. Returns whether `judge->state` has changed. */
bool judge_result(struct judge *judge, const struct pool_settings *settings, enum probe_outcome outcome, bool heard);

/* Returns the time since which bytes from the backend show that it is alive when a probe times out at `now_ns`: since the result before, which came at
 * `before_ns`, and during the last check_interval. */
uint64_t judge_heard_since(const struct pool_settings *settings, uint64_t before_ns, uint64_t now_ns);

/* Returns the milliseconds to the next probe: check_fast_interval in doubt, that is while a row of bad probes may take the backend out or a row of passes may
 * bring it back; check_down_interval while down; else check_interval. A busy backend is not probed faster, because that would add to its load. */
uint32_t judge_interval_ms(const struct judge *judge, const struct pool_settings *settings);

/* Returns the interval, varied uniformly by `jitter_percent` (0 to 50), so that many backends and load balancers do not synchronise; at least 1. `random` is
 * the state of random_next(). */
uint32_t judge_jittered_ms(uint32_t interval_ms, uint32_t jitter_percent, uint64_t *random);

/* Returns the milliseconds from the start to the first probe of backend `index` of `count` probed backends. First probes are spread evenly over the pool's
 * check_interval or one second, whichever is shorter. */
uint32_t judge_first_ms(const struct pool_settings *settings, size_t index, size_t count);

#endif
