/* table/counters.c: statistics of each worker that other threads read. Owned by the caller of counters_new().
 *
 * All operations are relaxed, because no other memory depends on the counts. */
#include "table/counters.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "table/report.h"

struct counters *counters_new(unsigned workers)
{
    struct counters *counters = aligned_alloc(_Alignof(struct counters), workers * sizeof(*counters));
    if (counters)
        memset(counters, 0, workers * sizeof(*counters));
    return counters;
}

void counters_free(struct counters *counters)
{
    free(counters);
}

uint32_t counters_active_add(struct counters *worker, int32_t n)
{
    return atomic_fetch_add_explicit(&worker->active, (uint32_t)n, memory_order_relaxed);
}

uint32_t counters_active(const struct counters *worker)
{
    return atomic_load_explicit(&worker->active, memory_order_relaxed);
}

void counters_add(_Atomic uint64_t *field, uint64_t n)
{
    /* There is one writer, so load and store need not be one instruction. Both are atomic because other threads read. */
    uint64_t value = atomic_load_explicit(field, memory_order_relaxed);
    atomic_store_explicit(field, value + n, memory_order_relaxed);
}

void counters_set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

uint64_t counters_read(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

void counters_report(const struct counters *worker, struct report_worker *report)
{
    *report = (struct report_worker){
        .sessions = counters_active(worker),
        .accepted = counters_read(&worker->accepted),
        .handed_over = counters_read(&worker->handed_over),
        .ended = counters_read(&worker->ended),
        .failed = counters_read(&worker->failed),
        .flows = counters_read(&worker->flows),
        .cpu_ns = counters_read(&worker->cpu_ns),
        .flows_refused = counters_read(&worker->flows_refused),
        .datagrams = {counters_read(&worker->datagrams[0]), counters_read(&worker->datagrams[1])},
        .datagrams_lost = counters_read(&worker->datagrams_lost),
        .bytes = {counters_read(&worker->bytes[0]), counters_read(&worker->bytes[1])},
    };
}
