/* table/request.h: a request of one thread to others that it waits for, but not forever. Each receiver gets a pointer to it as a message in its mailbox.
 *
 * It is counted: the thread that asks holds it, and so does each receiver until it has answered. The last one that gives it back frees it. So a receiver may be
 * late: it follows the request when the asker has long stopped waiting, and nothing dangles. What the request asks for must therefore be the request's own
 * memory, unless the asker waits without a deadline.
 *
 * An implementation embeds struct request at the start of a struct of its own, which also has the fields of its answer. A receiver writes them in `follow`;
 * the asker reads them after request_await() has returned 0 (release and acquire). */
#ifndef TABLE_REQUEST_H
#define TABLE_REQUEST_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct mailbox;

struct request {
    /* Immutable from request_init() on. */
    void (*follow)(struct request *request, void *receiver); /* does what is asked; in the receiver's thread */
    void (*dispose)(struct request *request); /* frees the request; in any thread */

    _Atomic uint32_t users;   /* the asker and the receivers; written by all of them */
    _Atomic uint32_t unanswered; /* number of receivers that have not answered; written by them */
    sem_t answered;           /* posted once, when all have */
};

/* The caller holds the request from now on. */
void request_init(struct request *request, void (*follow)(struct request *request, void *receiver), void (*dispose)(struct request *request));

/* Posts a message with the pointer to a mailbox whose messages are such pointers. Waits until `deadline_ns` (clock_now_ns()) for room. Returns 0, or
 * -ETIMEDOUT: that receiver has not got it. The asker, before request_await(). */
int request_post(struct request *request, struct mailbox *mailbox, uint64_t deadline_ns);

/* Counts a receiver that gets the request in another way, and answers with request_answer(). The asker, before request_await(). */
void request_add(struct request *request);

/* Waits until all receivers that have got it have answered, but no longer than until `deadline_ns`; UINT64_MAX: however long it takes. Returns 0 or -ETIMEDOUT:
 * then the answer must not be read. The asker, once. */
int request_await(struct request *request, uint64_t deadline_ns);

/* Gives it back. The asker, last. */
void request_drop(struct request *request);

/* Answers, and gives it back. Once for each receiver that was counted by request_add(). */
void request_answer(struct request *request);

/* Calls `follow`, answers, and gives it back. The receiver, once. */
void request_follow(struct request *request, void *receiver);

/* Answers without following it, for a receiver that ends: the `dispose` function of its mailbox. `message`: the pointer to the pointer. */
void request_refuse(void *message);

#endif
