/* table/intake.c: a count and a bit in one word. Every worker; owned by the caller of intake_new(). */
#include "table/intake.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CLOSED (UINT32_C(1) << 31)

struct intake *intake_new(unsigned workers)
{
    struct intake *intakes = aligned_alloc(_Alignof(struct intake), workers * sizeof(*intakes));

    for (unsigned i = 0; intakes && i < workers; i++)
        atomic_init(&intakes[i].state, 0);
    return intakes;
}

void intake_free(struct intake *intakes)
{
    free(intakes);
}

bool intake_enter(struct intake *intake)
{
    uint32_t state = atomic_load_explicit(&intake->state, memory_order_relaxed);

    do {
        if (state & CLOSED)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&intake->state, &state, state + 1, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

bool intake_leave(struct intake *intake)
{
    uint32_t before = atomic_fetch_sub_explicit(&intake->state, 1, memory_order_acq_rel);

    assert((before & ~CLOSED) > 0);
    return before == (CLOSED | 1);
}

void intake_close(struct intake *intake)
{
    uint32_t before = atomic_fetch_or_explicit(&intake->state, CLOSED, memory_order_acq_rel);

    assert(!(before & CLOSED));
    (void)before;
}

bool intake_closed(const struct intake *intake)
{
    return atomic_load_explicit(&intake->state, memory_order_relaxed) & CLOSED;
}

bool intake_ended(const struct intake *intake)
{
    return atomic_load_explicit(&intake->state, memory_order_acquire) == CLOSED;
}
