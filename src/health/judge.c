/* health/judge.c: rise, fall and intervals. Pure; health thread. */
#include "health/judge.h"

#include <assert.h>

#include "base/hash.h"

enum { FIRST_SPREAD_MS = 1000 }; /* so that a dead backend is detected soon after the start even if check_interval is long */

bool judge_result(struct judge *judge, const struct pool_settings *settings, bool passed)
{
    if (passed == judge->up) {
        judge->against = 0;
        return false;
    }
    judge->against++;
    if (judge->against < (judge->up ? settings->fall : settings->rise))
        return false;
    judge->up = passed;
    judge->against = 0;
    return true;
}

uint32_t judge_interval_ms(const struct judge *judge, const struct pool_settings *settings, uint64_t *random)
{
    uint32_t interval_ms;

    if (judge->against > 0)
        interval_ms = settings->check_fast_interval_ms;
    else if (!judge->up)
        interval_ms = settings->check_down_interval_ms;
    else
        interval_ms = settings->check_interval_ms;

    assert(settings->check_jitter_percent <= 50);
    uint32_t jitter_ms = (uint32_t)((uint64_t)interval_ms * settings->check_jitter_percent / 100);
    uint64_t drawn_ms = (uint64_t)interval_ms - jitter_ms + random_below(random, 2 * jitter_ms + 1);
    if (drawn_ms > UINT32_MAX)
        return UINT32_MAX;
    return drawn_ms > 0 ? (uint32_t)drawn_ms : 1;
}

uint32_t judge_first_ms(const struct pool_settings *settings, size_t index, size_t count)
{
    uint64_t spread_ms = settings->check_interval_ms < FIRST_SPREAD_MS ? settings->check_interval_ms : FIRST_SPREAD_MS;

    assert(index < count);
    return (uint32_t)(spread_ms * index / count);
}
