/* base/timer_wheel.h: timers that are cheap to arm and to cancel. One thread; nothing is allocated.
 *
 * This is a hierarchical timing wheel (Varghese and Lauck, 1987) with five levels of 64 slots. One tick is a millisecond, so the wheel covers 12 days. A timer
 * beyond that waits in the last slot and is placed again from there. A timer never fires early, and at most one tick after timer_wheel_advance() was called
 * with its time. */
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
    void (*fire)(struct timer *timer); /* called after the timer was unarmed; it may arm or free the timer */
    uint8_t level, slot;
    bool armed;
};

struct timer_wheel {
    uint64_t now_ms; /* all timers due up to this time have fired */
    uint64_t occupied[TIMER_LEVELS];
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Makes an unarmed timer. Call it once for each timer, before any other function. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));

/* Arms the timer, or moves it if it is armed. If `due_ms` has passed, the timer fires at the next advance. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* Does nothing if the timer is not armed. */
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

/* Fires all timers due up to `now_ms`, which never goes back. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

/* Returns the milliseconds from the last advance until timer_wheel_advance() must be called again, or -1 if no timer is armed. The result is never too late; it
 * is too early when timers only move down a level. */
int64_t timer_wheel_next(const struct timer_wheel *wheel);

#endif
