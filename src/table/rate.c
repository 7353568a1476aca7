/* table/rate.c: a limit on how often something may happen. Any worker; owns nothing.
 *
 * The time at which the next event is due is one word, changed by compare-and-swap. No other memory depends on it (relaxed). */
#include "table/rate.h"

#include <stdatomic.h>

bool rate_take(struct rate *rate, uint64_t now_ns, uint32_t per_second, uint64_t burst_ns)
{
    uint64_t interval_ns = (UINT64_C(1000000000) + per_second - 1) / per_second; /* rounded up, so that the rate is not exceeded */
    uint64_t due_ns = atomic_load_explicit(&rate->due_ns, memory_order_relaxed), next_ns;

    do {
        if (due_ns > now_ns + burst_ns)
            return false;
        next_ns = (due_ns > now_ns ? due_ns : now_ns) + interval_ns;
    } while (!atomic_compare_exchange_weak_explicit(&rate->due_ns, &due_ns, next_ns, memory_order_relaxed, memory_order_relaxed));
    return true;
}
