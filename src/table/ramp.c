/* table/ramp.c: how a slow start grows. Pure; any thread. */
#include "table/ramp.h"

#define NS_PER_MS UINT64_C(1000000)
#define PAUSE_NS (100 * NS_PER_MS)

enum { STEPS = (RAMP_WHOLE - RAMP_FIRST) / RAMP_STEP };

/* The number of steps that are done, at most STEPS. */
static uint64_t steps_done(uint64_t elapsed_ns, uint32_t duration_ms)
{
    uint64_t duration_ns = duration_ms * NS_PER_MS;

    return elapsed_ns < duration_ns ? elapsed_ns * STEPS / duration_ns : STEPS;
}

uint32_t ramp_share(uint64_t elapsed_ns, uint32_t duration_ms)
{
    return RAMP_FIRST + RAMP_STEP * (uint32_t)steps_done(elapsed_ns, duration_ms);
}

uint64_t ramp_next_ns(uint64_t elapsed_ns, uint32_t duration_ms)
{
    uint64_t next_ns = ((steps_done(elapsed_ns, duration_ms) + 1) * duration_ms * NS_PER_MS + STEPS - 1) / STEPS;

    return next_ns > elapsed_ns + PAUSE_NS ? next_ns : elapsed_ns + PAUSE_NS;
}
