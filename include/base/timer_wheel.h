/* base/timer_wheel.h: many timers, cheap to arm and to cancel. One thread, nothing allocated.
 *
 * A hierarchical timing wheel (Varghese and Lauck, 1987): five levels of 64 slots, one tick is a millisecond, so that it reaches 12 days; what lies
 * further waits in the last slot and is looked at again. A timer never fires early, and at most one tick after timer_wheel_advance() is told of its time. */
#ifndef BASE_TIMER_WHEEL_H
#define BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define TIMER_LEVELS 5
#define TIMER_SLOTS 64

struct timer {
    struct list link;
    uint64_t due_ms;
    void (*fire)(struct timer *timer); /* the timer is already unarmed; it may be armed again or freed in there */
    uint8_t level, slot;
    bool armed;
};

struct timer_wheel {
    uint64_t now_ms; /* all timers due up to here have fired */
    uint64_t occupied[TIMER_LEVELS];
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* An unarmed timer. Once per timer before any other call. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));

/* Arms, or moves when it is armed already; a time that has passed fires at the next advance. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* Does nothing when it is not armed. */
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

/* Fires everything due up to `now_ms` (which never goes back). */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

/* Milliseconds from the last advance until timer_wheel_advance() is worth calling again (never late; early when timers have to move down a level);
 * -1: no timer is armed. */
int64_t timer_wheel_next(const struct timer_wheel *wheel);

#endif
