/* health/judge.c: rise, fall, busy and intervals. Pure; health thread. */
#include "health/judge.h"

#include <assert.h>

#include "base/hash.h"

#define NS_PER_MS UINT64_C(1000000)

enum { FIRST_SPREAD_MS = 1000 }; /* so that a dead backend is detected soon after the start even if check_interval is long */

static bool is_down(const struct judge *judge)
{
    return judge->state == BACKEND_PROBE_DOWN || judge->state == BACKEND_PROBE_TIMED_OUT;
}

static void end_bad_row(struct judge *judge)
{
    judge->bad = 0;
    judge->failures = 0;
}

static enum backend_probe_state judge_pass(struct judge *judge, const struct pool_settings *settings)
{
    end_bad_row(judge);
    if (judge->state == BACKEND_PROBE_UP)
        return BACKEND_PROBE_UP;
    judge->passes++;
    return judge->passes >= settings->rise ? BACKEND_PROBE_UP : judge->state;
}

/* A probe that failed, or timed out while nothing was heard. */
static enum backend_probe_state judge_bad(struct judge *judge, const struct pool_settings *settings, bool failed)
{
    judge->passes = 0;
    judge->bad++;
    judge->failures += failed;
    if (judge->state == BACKEND_PROBE_DOWN)
        return BACKEND_PROBE_DOWN;
    if (judge->state == BACKEND_PROBE_TIMED_OUT)
        return judge->failures >= settings->fall ? BACKEND_PROBE_DOWN : BACKEND_PROBE_TIMED_OUT;
    if (judge->bad >= settings->fall)
        return judge->failures > 0 ? BACKEND_PROBE_DOWN : BACKEND_PROBE_TIMED_OUT;
    return !failed && judge->answered ? BACKEND_PROBE_BUSY : judge->state;
}

static enum backend_probe_state judge_busy(struct judge *judge)
{
    end_bad_row(judge);
    judge->passes = 0;
    return BACKEND_PROBE_BUSY;
}

bool judge_result(struct judge *judge, const struct pool_settings *settings, enum probe_outcome outcome, bool heard)
{
    bool failed = outcome == PROBE_FAILED || (outcome == PROBE_TIMED_OUT && settings->busy_is_down);
    enum backend_probe_state state;

    assert(outcome == PROBE_PASSED || outcome == PROBE_FAILED || outcome == PROBE_TIMED_OUT);
    if (outcome == PROBE_PASSED)
        state = judge_pass(judge, settings);
    else if (!failed && heard && !is_down(judge))
        state = judge_busy(judge);
    else
        state = judge_bad(judge, settings, failed);
    judge->answered = outcome == PROBE_PASSED;
    if (state == judge->state)
        return false;
    judge->state = state;
    judge->passes = 0;
    if (is_down(judge) || state == BACKEND_PROBE_UP)
        end_bad_row(judge);
    return true;
}

uint64_t judge_heard_since(const struct pool_settings *settings, uint64_t before_ns, uint64_t now_ns)
{
    uint64_t interval_ns = settings->check_interval_ms * NS_PER_MS, lately_ns = now_ns > interval_ns ? now_ns - interval_ns : 0;

    return before_ns < lately_ns ? before_ns : lately_ns;
}

uint32_t judge_interval_ms(const struct judge *judge, const struct pool_settings *settings)
{
    if (is_down(judge))
        return judge->passes > 0 ? settings->check_fast_interval_ms : settings->check_down_interval_ms;
    return judge->bad > 0 ? settings->check_fast_interval_ms : settings->check_interval_ms;
}

uint32_t judge_jittered_ms(uint32_t interval_ms, uint32_t jitter_percent, uint64_t *random)
{
    assert(jitter_percent <= 50);
    uint32_t jitter_ms = (uint32_t)((uint64_t)interval_ms * jitter_percent / 100);
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
