/* table/limit.c: shared counting limit. Every worker; owns nothing. */
#include <assert.h>
#include <stdatomic.h>

#include "table/limit.h"

void limit_init(struct limit *limit, uint32_t max)
{
    atomic_init(&limit->used, 0);
    atomic_init(&limit->max, max);
}

void limit_set_max(struct limit *limit, uint32_t max)
{
    atomic_store_explicit(&limit->max, max, memory_order_relaxed);
}

uint32_t limit_max(const struct limit *limit)
{
    return atomic_load_explicit(&limit->max, memory_order_relaxed);
}

bool limit_take(struct limit *limit)
{
    uint32_t used = atomic_load_explicit(&limit->used, memory_order_relaxed);

    do {
        if (used >= limit_max(limit))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&limit->used, &used, used + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void limit_give(struct limit *limit)
{
    uint32_t before = atomic_fetch_sub_explicit(&limit->used, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

uint32_t limit_used(const struct limit *limit)
{
    return atomic_load_explicit(&limit->used, memory_order_acquire);
}
