/* table/limit.c: a shared counter with a maximum and an order of waiting clients. Every worker; owns the array of times.
 *
 * Why no notification is missed. All operations are sequentially consistent, so all threads see them in the same order.
 *   - Worker W publishes the time of its client and then reads `used`. Worker G, which gives a place back, decrements `used` and then reads the times. If W
 *     reads `used` before G decrements it, then W has published before G reads the times, so G sees W and notifies it. Otherwise W sees the free place itself.
 *   - W is refused a free place because worker Z has published an older client. By the same rule, Z was notified or is about to try. When Z withdraws its
 *     time, with or without a place, it reads the times again. If a place is free then, it sees W and notifies it. The same holds when Z publishes a later
 *     time, for the next client of its queue.
 *   - W reads that no place is free. Then each place will be given back after this read, by a worker that will see W.
 * If no client waits, taking a place costs one more load, from a cache line that is needed anyway. */
#include "table/limit.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { NOBODY = -1 };

void limit_init(struct limit *limit, uint32_t max)
{
    *limit = (struct limit){0};
    atomic_init(&limit->used, 0);
    atomic_init(&limit->max, max);
    atomic_init(&limit->waiting, 0);
}

void limit_init_flows(struct limit *limit, uint32_t max)
{
    limit_init(limit, max);
    limit->of_flows = true;
}

int limit_let_wait(struct limit *limit, const struct limit_workers *workers)
{
    limit->since_ns = malloc(workers->count * sizeof(*limit->since_ns));
    if (!limit->since_ns)
        return -ENOMEM;
    limit->workers = workers;
    for (unsigned i = 0; i < workers->count; i++)
        atomic_init(&limit->since_ns[i], 0);
    return 0;
}

void limit_deinit(struct limit *limit)
{
    free(limit->since_ns);
    limit->since_ns = NULL;
}

/* Returns the worker whose client has waited longest, and since when. NOBODY: no client waits. */
static int find_oldest(const struct limit *limit, uint64_t *oldest_ns)
{
    int found = NOBODY;

    *oldest_ns = UINT64_MAX;
    if (atomic_load(&limit->waiting) == 0)
        return NOBODY;
    for (unsigned i = 0; i < limit->workers->count; i++) {
        uint64_t since_ns = atomic_load(&limit->since_ns[i]);

        if (since_ns == 0 || since_ns >= *oldest_ns)
            continue;
        *oldest_ns = since_ns;
        found = (int)i;
    }
    return found;
}

static bool somebody_is_first(const struct limit *limit, uint64_t since_ns)
{
    uint64_t oldest_ns;

    return find_oldest(limit, &oldest_ns) != NOBODY && oldest_ns < since_ns;
}

bool limit_take(struct limit *limit, uint64_t since_ns)
{
    uint32_t used = atomic_load(&limit->used);

    if (somebody_is_first(limit, since_ns))
        return false;
    do {
        if (used >= atomic_load(&limit->max))
            return false;
    } while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    return true;
}

static bool has_room(const struct limit *limit)
{
    return atomic_load(&limit->used) < atomic_load(&limit->max);
}

bool limit_would_take(const struct limit *limit, uint64_t since_ns)
{
    return has_room(limit) && !somebody_is_first(limit, since_ns);
}

static void tell_next(const struct limit *limit)
{
    uint64_t oldest_ns;
    int next = has_room(limit) ? find_oldest(limit, &oldest_ns) : NOBODY;

    if (next != NOBODY)
        limit->workers->tell(limit->workers->context, (unsigned)next);
}

void limit_give(struct limit *limit)
{
    uint32_t before = atomic_fetch_sub(&limit->used, 1);

    assert(before > 0);
    (void)before;
    tell_next(limit);
}

void limit_wait(struct limit *limit, unsigned worker, uint64_t since_ns)
{
    uint64_t before_ns = atomic_exchange(&limit->since_ns[worker], since_ns);

    if (before_ns == 0 && since_ns != 0)
        (void)atomic_fetch_add(&limit->waiting, 1);
    else if (before_ns != 0 && since_ns == 0)
        (void)atomic_fetch_sub(&limit->waiting, 1);
    if (before_ns != 0 && (since_ns == 0 || since_ns > before_ns))
        tell_next(limit);
}

uint64_t limit_oldest_measured(const struct limit *limit)
{
    uint64_t oldest_ns = 0;

    for (unsigned i = 0; limit->workers && i < limit->workers->count; i++) {
        uint64_t since_ns = atomic_load(&limit->since_ns[i]);

        if (since_ns && !(since_ns & LIMIT_PLACED) && (!oldest_ns || since_ns < oldest_ns))
            oldest_ns = since_ns;
    }
    return oldest_ns;
}

void limit_set_max(struct limit *limit, uint32_t max)
{
    atomic_store(&limit->max, max);
    tell_next(limit);
}

uint32_t limit_max(const struct limit *limit)
{
    return atomic_load(&limit->max);
}

uint32_t limit_used(const struct limit *limit)
{
    return atomic_load(&limit->used);
}
