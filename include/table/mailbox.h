/* table/mailbox.h: how a thread sends a request to another one. A mailbox belongs to one thread, its owner. Any thread may send. There are two kinds of
 * requests:
 *
 *  - An order is a bit without content ("stop"). Setting it always succeeds, because nothing can be full. Setting it twice before the owner takes it has the
 *    same effect as setting it once. The owner defines the bits, and the sequence in which it follows them.
 *  - A message is a value of fixed size in a bounded queue. A full queue refuses it, and the sender keeps it: nothing is dropped.
 *
 * Both make `event_fd` readable. The owner polls that descriptor. When it is readable, the owner clears it first, then takes the orders, and then all
 * messages. In this sequence, no request can stay in the mailbox unnoticed: a request that is sent after the owner has taken makes the descriptor readable
 * again.
 *
 * The owner sees everything that the sender wrote before it sent the request (release and acquire). */
#ifndef TABLE_MAILBOX_H
#define TABLE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* Largest message. */
#define MAILBOX_MESSAGE_BYTES 256

struct mailbox_options {
    size_t capacity;                /* number of messages: a power of two, at least 2; or 0 for a mailbox that takes only orders */
    size_t message_bytes;           /* at most MAILBOX_MESSAGE_BYTES */
    void (*dispose)(void *message); /* releases what an untaken message holds, such as a descriptor; NULL: it holds nothing */
};

struct mailbox {
    /* Immutable from mailbox_init() on. */
    struct ring *ring; /* NULL: it takes only orders */
    void (*dispose)(void *message);
    int event_fd;      /* non-blocking, to be polled for reading */
    bool open;

    _Atomic bool closed;     /* written by the owner; relaxed */
    _Atomic uint32_t orders; /* set by any thread, cleared by the owner */
};

/* 0 or a negative errno. Before any other thread sees it. */
int mailbox_init(struct mailbox *mailbox, const struct mailbox_options *options);

/* Disposes of the messages that are left. No thread may use it any more. Safe on all zero and twice. */
void mailbox_deinit(struct mailbox *mailbox);

/* Sets bits of the orders. Any thread; never fails, never waits. */
void mailbox_order(struct mailbox *mailbox, uint32_t orders);

/* The owner takes no more messages: from now on they are refused. One that is posted at the same moment may stay until mailbox_deinit(). The owner; once. */
void mailbox_close(struct mailbox *mailbox);

/* Whether it is closed. Any thread. */
bool mailbox_is_closed(const struct mailbox *mailbox);

/* Copies a message in. Returns false if the queue is full or closed; what the message holds remains the caller's. Any thread; never waits. */
bool mailbox_post(struct mailbox *mailbox, const void *message);

/* The same, but waits for room until `deadline_ns` (clock_now_ns()). Returns 0, or -ETIMEDOUT, which is like a refused mailbox_post(). Not for workers, which
 * must not wait. */
int mailbox_post_wait(struct mailbox *mailbox, const void *message, uint64_t deadline_ns);

/* Makes the descriptor unreadable. The owner calls it before it takes, unless its engine has read the descriptor. */
void mailbox_clear(struct mailbox *mailbox);

/* Returns and clears the orders. The owner. */
uint32_t mailbox_take_orders(struct mailbox *mailbox);

/* Copies the oldest message out. Returns false if there is none. The owner. */
bool mailbox_take(struct mailbox *mailbox, void *message);

#endif
