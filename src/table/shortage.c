/* table/shortage.c: when a session last lacked descriptors or memory. Every worker; owns nothing. */
#include "table/shortage.h"

#include <stdatomic.h>

void shortage_note(struct shortage *shortage, uint64_t now_ns)
{
    atomic_store_explicit(&shortage->noted_ns, now_ns, memory_order_relaxed);
}

bool shortage_since(const struct shortage *shortage, uint64_t now_ns, uint64_t span_ns)
{
    uint64_t noted_ns = atomic_load_explicit(&shortage->noted_ns, memory_order_relaxed);

    return noted_ns && (int64_t)(now_ns - noted_ns) < (int64_t)span_ns; /* signed: the worker that noted it may have read the clock later than the caller */
}
