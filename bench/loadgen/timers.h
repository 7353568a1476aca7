/* timers.h: a binary min-heap of timers. The caller's thread. */
#ifndef LOADGEN_TIMERS_H
#define LOADGEN_TIMERS_H

#include <stdint.h>

/* A timer, embedded in the struct of its owner. If it is all zero, it is not set. */
struct timer {
    uint64_t due_ns;
    unsigned place; /* index in the heap, from 1; 0: the timer is not set */
};

struct timers {
    struct timer **slots; /* slots[1] is due first; slots[0] is not used */
    unsigned count, capacity;
};

int timers_init(struct timers *timers, unsigned capacity); /* returns 0 or -ENOMEM; the heap holds at most `capacity` timers */
void timers_deinit(struct timers *timers);

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns); /* moves a timer that is set */
void timers_clear(struct timers *timers, struct timer *timer);                /* does nothing if it is not set */

/* Removes and returns the first timer if it is due at `now_ns` or earlier. Returns NULL otherwise. */
struct timer *timers_expired(struct timers *timers, uint64_t now_ns);
/* Returns the time of the first timer; UINT64_MAX: none is set. */
uint64_t timers_next_ns(const struct timers *timers);

#endif
