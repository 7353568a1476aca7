/* base/timer_wheel.c: hierarchical timing wheel. Runs on the thread that owns the wheel; owns no memory.
 *
 * A timer sits on the lowest level whose span still covers its distance from now. When the lower digits of the time wrap around, the next slot of the
 * level above is emptied, and its timers move to lower levels. */
#include "base/timer_wheel.h"

#include <assert.h>

enum { SLOT_BITS = 6, SLOT_MASK = TIMER_SLOTS - 1 };

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    wheel->now_ms = now_ms;
    for (int level = 0; level < TIMER_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    list_init(&timer->link);
    timer->due_ms = 0;
    timer->fire = fire;
    timer->armed = false;
}

static void place_timer(struct timer_wheel *wheel, struct timer *timer)
{
    /* A timer that is already due goes to the next tick, because fire_slot() may be emptying this tick's slot. */
    uint64_t due = timer->due_ms > wheel->now_ms ? timer->due_ms : wheel->now_ms + 1;
    uint64_t reach = (uint64_t)1 << (SLOT_BITS * TIMER_LEVELS);

    if (due - wheel->now_ms >= reach)
        due = wheel->now_ms + reach - 1;

    /* The level is the highest digit in which due and now differ. The slot is entered exactly when that digit of the time reaches it. */
    uint64_t differ = due ^ wheel->now_ms;
    int level = (63 - __builtin_clzll(differ)) / SLOT_BITS;
    if (level >= TIMER_LEVELS) /* due lies beyond the wrap of the top level, whose slots are used in a circle */
        level = TIMER_LEVELS - 1;
    int slot = (int)(due >> (SLOT_BITS * level)) & SLOT_MASK;

    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    list_append(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

void timer_cancel(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer->armed)
        return;
    timer->armed = false;
    list_remove(&timer->link);
    if (list_empty(&wheel->slots[timer->level][timer->slot]))
        wheel->occupied[timer->level] &= ~((uint64_t)1 << timer->slot);
}

void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    timer_cancel(wheel, timer);
    timer->due_ms = due_ms;
    timer->armed = true;
    place_timer(wheel, timer);
}

/* Empties a slot into `timers`. */
static void slot_take(struct timer_wheel *wheel, int level, int slot, struct list *timers)
{
    list_take(timers, &wheel->slots[level][slot]);
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
}

/* Moves timers from the slots that the new time has just entered to lower levels, highest level first. */
static void cascade_slots(struct timer_wheel *wheel)
{
    int top = 1;

    while (top < TIMER_LEVELS && (wheel->now_ms >> (SLOT_BITS * (top - 1)) & SLOT_MASK) == 0)
        top++;
    for (int level = top - 1; level >= 1; level--) {
        struct list moving;

        slot_take(wheel, level, (int)(wheel->now_ms >> (SLOT_BITS * level)) & SLOT_MASK, &moving);
        while (!list_empty(&moving)) {
            struct timer *timer = container_of(moving.next, struct timer, link);

            list_remove(&timer->link);
            if (timer->due_ms <= wheel->now_ms) { /* due at this tick: into the level 0 slot that is fired next */
                timer->level = 0;
                timer->slot = (uint8_t)(wheel->now_ms & SLOT_MASK);
                list_append(&wheel->slots[0][timer->slot], &timer->link);
                wheel->occupied[0] |= (uint64_t)1 << timer->slot;
            } else {
                place_timer(wheel, timer);
            }
        }
    }
}

static void fire_slot(struct timer_wheel *wheel)
{
    int slot = (int)(wheel->now_ms & SLOT_MASK);
    struct list *due = &wheel->slots[0][slot];

    /* Take one timer at a time from the head, because a timer that fires may cancel others in the slot. place_timer() adds none to this slot. */
    while (!list_empty(due)) {
        struct timer *timer = container_of(due->next, struct timer, link);

        assert(timer->due_ms <= wheel->now_ms);
        timer_cancel(wheel, timer);
        timer->fire(timer);
    }
}

int64_t timer_wheel_next(const struct timer_wheel *wheel)
{
    for (int level = 0; level < TIMER_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (!occupied)
            continue;

        /* Slots are entered in a circle, beginning after the digit of the present time. */
        unsigned digit = (unsigned)(wheel->now_ms >> (SLOT_BITS * level)) & SLOT_MASK;
        unsigned turn = (digit + 1) & SLOT_MASK;
        uint64_t ahead = turn ? occupied >> turn | occupied << (TIMER_SLOTS - turn) : occupied;
        uint64_t steps = (uint64_t)__builtin_ctzll(ahead) + 1;
        uint64_t entered = ((wheel->now_ms >> (SLOT_BITS * level)) + steps) << (SLOT_BITS * level);
        return (int64_t)(entered - wheel->now_ms);
    }
    return -1;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
    while (wheel->now_ms < now_ms) {
        int64_t next = timer_wheel_next(wheel);

        if (next < 0 || (uint64_t)next > now_ms - wheel->now_ms) { /* no occupied slot is entered until now_ms */
            wheel->now_ms = now_ms;
            return;
        }
        wheel->now_ms += (uint64_t)next;
        cascade_slots(wheel);
        fire_slot(wheel);
    }
}
