/* timers.c: binary heap of timers. The caller's thread. */
#include "timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int timers_init(struct timers *timers, unsigned capacity)
{
    *timers = (struct timers){.capacity = capacity, .slots = calloc(capacity + 1, sizeof(*timers->slots))};
    return timers->slots ? 0 : -ENOMEM;
}

void timers_deinit(struct timers *timers)
{
    free(timers->slots);
    *timers = (struct timers){0};
}

static void put_timer(struct timers *timers, struct timer *timer, unsigned place)
{
    timers->slots[place] = timer;
    timer->place = place;
}

/* Moves `timer` from `place` to its place in the heap: up while its parent is later, else down while a child is earlier. */
static void settle_timer(struct timers *timers, struct timer *timer, unsigned place)
{
    for (; place > 1 && timers->slots[place / 2]->due_ns > timer->due_ns; place /= 2)
        put_timer(timers, timers->slots[place / 2], place);
    for (unsigned child; (child = 2 * place) <= timers->count; place = child) {
        if (child < timers->count && timers->slots[child + 1]->due_ns < timers->slots[child]->due_ns)
            child++;
        if (timers->slots[child]->due_ns >= timer->due_ns)
            break;
        put_timer(timers, timers->slots[child], place);
    }
    put_timer(timers, timer, place);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    if (timer->place == 0) {
        assert(timers->count < timers->capacity);
        timer->place = ++timers->count;
    }
    settle_timer(timers, timer, timer->place);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    unsigned place = timer->place;
    if (place == 0)
        return;
    struct timer *last = timers->slots[timers->count--];
    timer->place = 0;
    if (last != timer)
        settle_timer(timers, last, place);
}

struct timer *timers_expired(struct timers *timers, uint64_t now_ns)
{
    if (timers_next_ns(timers) > now_ns)
        return NULL;
    struct timer *first = timers->slots[1];
    timers_clear(timers, first);
    return first;
}

uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->count > 0 ? timers->slots[1]->due_ns : UINT64_MAX;
}
