/* udp_window.c: the ring of slots behind udp_window.h. The caller's thread; owns the slots. */
#include "udp_window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int udp_window_init(struct udp_window *window, uint32_t capacity)
{
    assert(capacity > 0 && (capacity & (capacity - 1)) == 0);
    *window = (struct udp_window){.slots = calloc(capacity, sizeof(*window->slots)), .mask = capacity - 1};
    return window->slots ? 0 : -ENOMEM;
}

void udp_window_deinit(struct udp_window *window)
{
    free(window->slots);
    *window = (struct udp_window){0};
}

uint32_t udp_window_room(const struct udp_window *window)
{
    return window->mask + 1 - (window->next - window->oldest);
}

void udp_window_send(struct udp_window *window, uint64_t sent_ns, uint64_t intended_ns)
{
    assert(udp_window_room(window) > 0);
    uint64_t lag_ns = sent_ns > intended_ns ? sent_ns - intended_ns : 0;
    window->slots[window->next++ & window->mask] = (struct udp_slot){
        .sent_ns = sent_ns, .lag_ns = lag_ns < UINT32_MAX ? (uint32_t)lag_ns : UINT32_MAX, .state = UDP_SLOT_IN_FLIGHT};
    window->in_flight++;
    window->sent++;
}

static void skip_finished(struct udp_window *window)
{
    while (window->oldest != window->next && window->slots[window->oldest & window->mask].state != UDP_SLOT_IN_FLIGHT)
        window->oldest++;
}

static enum udp_verdict order_of(struct udp_window *window, uint32_t number)
{
    if (window->answered && (int32_t)(number - window->newest_answered) < 0)
        return UDP_REORDERED;
    window->answered = true;
    window->newest_answered = number;
    return UDP_IN_ORDER;
}

enum udp_verdict udp_window_receive(struct udp_window *window, uint32_t number, const struct udp_slot **slot)
{
    uint32_t age = window->next - 1 - number; /* 0 is the newest; a number that is not used yet has a huge age */
    *slot = NULL;
    if (age >= window->sent || age > INT32_MAX)
        return UDP_UNKNOWN;
    if (age > window->mask)
        return UDP_LATE;
    struct udp_slot *found = &window->slots[number & window->mask];
    uint8_t state = found->state;
    found->state = UDP_SLOT_ANSWERED;
    *slot = found;
    if (state == UDP_SLOT_ANSWERED)
        return UDP_DUPLICATE;
    enum udp_verdict order = order_of(window, number);
    if (state == UDP_SLOT_LOST)
        return UDP_LATE;
    window->in_flight--;
    if (number == window->oldest)
        skip_finished(window);
    return order;
}

uint32_t udp_window_expire(struct udp_window *window, uint64_t until_ns)
{
    uint32_t lost = 0;
    for (; window->oldest != window->next; window->oldest++) {
        struct udp_slot *slot = &window->slots[window->oldest & window->mask];
        if (slot->state != UDP_SLOT_IN_FLIGHT)
            continue;
        if (slot->sent_ns > until_ns)
            break;
        slot->state = UDP_SLOT_LOST;
        lost++;
    }
    window->in_flight -= lost;
    return lost;
}
