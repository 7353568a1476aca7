/* table/capacity.c: the weight and the limit that a backend has at present. Publisher; owns nothing. */
#include "table/capacity.h"

#include "config/settings.h"
#include "table/backend.h"

enum { BUSY_SHARE = 50 };

uint32_t capacity_share(const struct backend *backend)
{
    bool is_busy = backend_state_part(backend_state(backend), BACKEND_PROBE) == BACKEND_PROBE_BUSY;

    return is_busy && backend->ramp_share > BUSY_SHARE ? BUSY_SHARE : backend->ramp_share;
}

/* In hundredths. */
static uint64_t agreed_weight(const struct backend *backend)
{
    uint64_t configured = backend_settings(backend)->weight;

    switch (backend->agent_weight.unit) {
    case CAPACITY_PERCENT:
        return configured * backend->agent_weight.value;
    case CAPACITY_ABSOLUTE:
        return (uint64_t)backend->agent_weight.value * CAPACITY_WHOLE;
    case CAPACITY_AS_CONFIGURED:
        break;
    }
    return configured * CAPACITY_WHOLE;
}

uint32_t capacity_weight(const struct backend *backend)
{
    uint64_t whole = agreed_weight(backend), weight;

    if (whole > CAPACITY_WEIGHT_MAX * CAPACITY_WHOLE)
        whole = CAPACITY_WEIGHT_MAX * CAPACITY_WHOLE;
    weight = whole * capacity_share(backend) / CAPACITY_WHOLE;
    return whole > 0 && weight == 0 ? 1 : (uint32_t)weight;
}

uint32_t capacity_limit(const struct backend *backend)
{
    uint64_t whole = backend->agent_limit != 0 ? backend->agent_limit : backend_settings(backend)->max_connections;
    uint64_t limit = whole * backend->ramp_share / CAPACITY_WHOLE;

    return whole > 0 && limit == 0 ? 1 : (uint32_t)limit;
}
