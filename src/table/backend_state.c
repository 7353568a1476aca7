/* table/backend_state.c: the word that says what is known about a backend. Pure; any thread. */
#include "table/backend_state.h"

#include <assert.h>

enum { PART_BITS = 4, PART_MASK = 15 };

unsigned backend_state_part(uint32_t state, enum backend_source source)
{
    assert(source < BACKEND_SOURCES);
    return state >> (PART_BITS * source) & PART_MASK;
}

uint32_t backend_state_with(uint32_t state, enum backend_source source, unsigned value)
{
    unsigned shift = PART_BITS * source;

    assert(source < BACKEND_SOURCES && value <= PART_MASK);
    return (state & ~((uint32_t)PART_MASK << shift)) | (uint32_t)value << shift;
}

static bool is_in_maintenance(uint32_t state)
{
    return backend_state_part(state, BACKEND_ADMIN) == BACKEND_ADMIN_MAINTENANCE || backend_state_part(state, BACKEND_AGENT) == BACKEND_AGENT_MAINTENANCE;
}

/* Whether the agent or a probe says that it does not work. */
static bool is_broken(uint32_t state)
{
    unsigned probe = backend_state_part(state, BACKEND_PROBE);

    return backend_state_part(state, BACKEND_AGENT) == BACKEND_AGENT_DOWN || probe == BACKEND_PROBE_DOWN || probe == BACKEND_PROBE_TIMED_OUT;
}

bool backend_state_is_down(uint32_t state)
{
    return is_in_maintenance(state) || is_broken(state);
}

enum backend_standing backend_state_standing(uint32_t state)
{
    unsigned admin = backend_state_part(state, BACKEND_ADMIN), agent = backend_state_part(state, BACKEND_AGENT);

    if (is_in_maintenance(state))
        return BACKEND_DOWN;
    if (admin == BACKEND_ADMIN_DRAIN || agent == BACKEND_AGENT_DRAIN || backend_state_part(state, BACKEND_WEIGHT) == BACKEND_WEIGHT_ZERO ||
        backend_state_part(state, BACKEND_DISCOVERY) == BACKEND_GONE)
        return BACKEND_DRAINING;
    if (is_broken(state))
        return BACKEND_DOWN;
    return backend_state_part(state, BACKEND_EJECTION) == BACKEND_EJECTED ? BACKEND_DOWN : BACKEND_USABLE;
}

bool backend_state_is_eligible(uint32_t state)
{
    uint32_t healthy = backend_state_with(backend_state_with(state, BACKEND_PROBE, BACKEND_PROBE_UP), BACKEND_EJECTION, BACKEND_IN);

    if (backend_state_part(state, BACKEND_AGENT) == BACKEND_AGENT_DOWN)
        healthy = backend_state_with(healthy, BACKEND_AGENT, BACKEND_AGENT_READY);
    return backend_state_standing(healthy) == BACKEND_USABLE;
}

bool backend_state_only_timed_out(uint32_t state)
{
    return backend_state_part(state, BACKEND_PROBE) == BACKEND_PROBE_TIMED_OUT &&
           backend_state_standing(backend_state_with(state, BACKEND_PROBE, BACKEND_PROBE_UP)) == BACKEND_USABLE;
}

bool backend_state_only_ejected(uint32_t state)
{
    return backend_state_part(state, BACKEND_EJECTION) == BACKEND_EJECTED &&
           backend_state_standing(backend_state_with(state, BACKEND_EJECTION, BACKEND_IN)) == BACKEND_USABLE;
}
