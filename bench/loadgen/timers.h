/* timers.h: a binary heap of moments, smallest first. The caller's thread. */
#ifndef LOADGEN_TIMERS_H
#define LOADGEN_TIMERS_H

#include <stdint.h>

/* Lives in the struct that waits. All zero: not set. */
struct timer {
    uint64_t due_ns;
    unsigned place; /* in the heap, from 1; 0: not in it */
};

struct timers {
    struct timer **slots; /* slots[1] is due first; slots[0] is not used */
    unsigned count, capacity;
};

int timers_init(struct timers *timers, unsigned capacity); /* -ENOMEM; memory for `capacity` timers, and never more */
void timers_deinit(struct timers *timers);

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns); /* a timer that is set already is moved */
void timers_clear(struct timers *timers, struct timer *timer);                /* nothing if it is not set */

/* The timer due first, if that is `now_ns` or before; it is taken out. NULL: none. */
struct timer *timers_expired(struct timers *timers, uint64_t now_ns);
/* UINT64_MAX: none is set. */
uint64_t timers_next_ns(const struct timers *timers);

#endif
