/* table/mailbox.h: how a thread asks another one for something. A mailbox belongs to one thread, its owner; any thread may ask. There are two ways:
 *
 *  - An order is a bit without content ("stop"). Setting it always succeeds, because there is nothing that could be full, and setting it twice before the owner
 *    looks is the same as setting it once. Which bits there are, and in which sequence they are followed, is the owner's to define.
 *  - A message is a value of fixed size, in a bounded queue. A full queue refuses it, and the sender still has it: nothing is dropped.
 *
 * Both make `event_fd` readable. The owner polls that descriptor, and when it is readable: first clears it, then takes the orders, then the messages until there
 * are none. With that sequence nothing can be left in the box while the descriptor is silent: what comes after the owner has looked makes it readable again.
 *
 * Whatever the sender wrote before it ordered or posted, the owner sees after it has taken that (release and acquire). */
#ifndef TABLE_MAILBOX_H
#define TABLE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* Largest message. */
#define MAILBOX_MESSAGE_BYTES 256

struct mailbox_options {
    size_t capacity;                /* messages: a power of two, at least 2; or 0 for a box that takes orders alone */
    size_t message_bytes;           /* at most MAILBOX_MESSAGE_BYTES */
    void (*dispose)(void *message); /* gives up what a message holds that nobody will take, such as a descriptor; NULL: it holds nothing */
};

struct mailbox {
    /* Immutable from mailbox_init() on. */
    struct ring *ring; /* NULL: orders alone */
    void (*dispose)(void *message);
    int event_fd;      /* non-blocking, to be polled for reading */
    bool open;

    _Atomic uint32_t orders; /* set by any thread, cleared by the owner */
};

/* 0 or a negative errno. Before any other thread sees it. */
int mailbox_init(struct mailbox *mailbox, const struct mailbox_options *options);

/* Disposes of the messages that are left. Nobody may use it any more. Safe on all zero and twice. */
void mailbox_deinit(struct mailbox *mailbox);

/* Sets bits of the orders. Any thread; never fails, never waits. */
void mailbox_order(struct mailbox *mailbox, uint32_t orders);

/* Copies a message in. False: full, nothing was done, and what the message holds is still the caller's. Any thread; never waits. */
bool mailbox_post(struct mailbox *mailbox, const void *message);

/* The same, but waits for room until the time `deadline_ns` of clock_now_ns(). 0, or -ETIMEDOUT: as a refused mailbox_post(). For threads that may wait: no worker
 * may. */
int mailbox_post_wait(struct mailbox *mailbox, const void *message, uint64_t deadline_ns);

/* Makes the descriptor silent. The owner, if its engine has not read the descriptor already; before it takes. */
void mailbox_clear(struct mailbox *mailbox);

/* Returns and clears the orders. The owner. */
uint32_t mailbox_take_orders(struct mailbox *mailbox);

/* Copies the oldest message out; false: empty. The owner. */
bool mailbox_take(struct mailbox *mailbox, void *message);

#endif
