/* udp_window.h: which datagrams of a flow are in flight, answered or lost. Pure bookkeeping; the caller's thread.
 *
 * Datagrams are numbered in the order in which they are sent; the numbers wrap at 2^32. The window remembers the last `capacity` of them. A datagram in
 * flight is never forgotten: udp_window_room() limits how far the numbers may run ahead of the oldest one. */
#ifndef LOADGEN_UDP_WINDOW_H
#define LOADGEN_UDP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum udp_slot_state { UDP_SLOT_IN_FLIGHT = 1, UDP_SLOT_ANSWERED, UDP_SLOT_LOST };

struct udp_slot {
    uint64_t sent_ns;
    uint32_t lag_ns; /* how much later than intended it was sent; at most UINT32_MAX */
    uint8_t state;
};

struct udp_window {
    struct udp_slot *slots; /* the slot of a number is number & mask */
    uint32_t mask;          /* capacity - 1 */
    uint32_t next;          /* number of the next datagram */
    uint32_t oldest;        /* every number before this one is answered or lost */
    uint32_t in_flight;
    uint32_t newest_answered; /* the highest number answered so far; valid if `answered` */
    bool answered;
    uint64_t sent; /* in all */
};

enum udp_verdict {
    UDP_IN_ORDER,  /* the first answer, and no later datagram was answered before */
    UDP_REORDERED, /* the first answer, but a later datagram was answered before */
    UDP_LATE,      /* the first answer to a datagram that counts as lost, or an answer to one that is forgotten */
    UDP_DUPLICATE, /* another answer */
    UDP_UNKNOWN    /* nothing with this number was sent */
};

/* `capacity` is a power of two, at most 2^30. The caller owns the slots, frees them by udp_window_deinit(). Returns 0 or -ENOMEM. */
int udp_window_init(struct udp_window *window, uint32_t capacity);
void udp_window_deinit(struct udp_window *window);

/* How many more datagrams may be sent now. */
uint32_t udp_window_room(const struct udp_window *window);

/* Records that the datagram number window->next is sent. The room is at least 1. `sent_ns` never decreases. */
void udp_window_send(struct udp_window *window, uint64_t sent_ns, uint64_t intended_ns);

/* Records an answer. `*slot` is valid until the next datagram is sent, and is NULL if the datagram is unknown or forgotten. */
enum udp_verdict udp_window_receive(struct udp_window *window, uint32_t number, const struct udp_slot **slot);

/* Declares all datagrams lost that are in flight and were sent at `until_ns` or earlier. Returns how many. */
uint32_t udp_window_expire(struct udp_window *window, uint64_t until_ns);

#endif
