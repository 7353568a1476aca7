/* table/limit.c: shared counting limit with an order of waiting. Every worker; owns the array of times.
 *
 * Why no call is missed. Every operation is sequentially consistent, so all threads see them in one order.
 *   - A worker W publishes its client and then reads `used`; a giver G lowers `used` and then reads the times. If W's reading comes before G's lowering, then W's
 *     publishing comes before G's reading, and G sees W. Else W sees the free place itself.
 *   - W is refused a free place because an older client of Z is published. Z was told, or is about to try, by the same rule. When Z withdraws, with a place or
 *     without, it reads the times again, after its own is gone: if a place is free then, it sees W and tells it. The same goes for a client that is published
 *     younger than before, as the next of its queue.
 *   - W reads that no place is free: then each of them is going to be given back, after that reading, by somebody who will see W.
 * A client that comes when nobody waits pays one more load of a line that it needs anyway. */
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

/* The worker whose client waits longest, and since when. NOBODY: nobody does. */
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
