/* table/request.c: counts the users of a request, and lets the one that asks wait for the others. Any thread; the last one that gives a request back frees it.
 *
 * Each receiver writes its part of the answer before it decrements `unanswered`, and the last one posts the semaphore, which releases all of them to the asker
 * (release sequence of the read-modify-writes). `users` is decremented with release and acquire, so that the one that frees the request sees that all others
 * have finished with it. */
#include "table/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "table/mailbox.h"

#define NS_PER_S UINT64_C(1000000000)

void request_init(struct request *request, void (*follow)(struct request *request, void *receiver), void (*dispose)(struct request *request))
{
    request->follow = follow;
    request->dispose = dispose;
    atomic_init(&request->users, 1);
    atomic_init(&request->unanswered, 1); /* the asker counts as one until it awaits the others, so that no early answer looks like the last one */
    (void)sem_init(&request->answered, 0, 0);
}

void request_drop(struct request *request)
{
    if (atomic_fetch_sub_explicit(&request->users, 1, memory_order_acq_rel) > 1)
        return;
    (void)sem_destroy(&request->answered);
    request->dispose(request);
}

/* Counts one answer less. */
static void count_answer(struct request *request)
{
    if (atomic_fetch_sub_explicit(&request->unanswered, 1, memory_order_acq_rel) == 1)
        (void)sem_post(&request->answered);
}

void request_add(struct request *request)
{
    atomic_fetch_add_explicit(&request->users, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&request->unanswered, 1, memory_order_relaxed);
}

int request_post(struct request *request, struct mailbox *mailbox, uint64_t deadline_ns)
{
    int error;

    request_add(request);
    error = mailbox_post_wait(mailbox, &request, deadline_ns);
    if (error == 0)
        return 0;
    atomic_fetch_sub_explicit(&request->unanswered, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&request->users, 1, memory_order_relaxed);
    return error;
}

int request_await(struct request *request, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S), .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    int result;

    count_answer(request); /* the asker's own */
    do {
        result = deadline_ns == UINT64_MAX ? sem_wait(&request->answered) : sem_clockwait(&request->answered, CLOCK_MONOTONIC, &until);
    } while (result < 0 && errno == EINTR);
    if (result < 0)
        return -ETIMEDOUT;
    (void)atomic_load_explicit(&request->unanswered, memory_order_acquire); /* for ThreadSanitizer, which does not know sem_clockwait(3) */
    return 0;
}

void request_answer(struct request *request)
{
    count_answer(request);
    request_drop(request);
}

void request_follow(struct request *request, void *receiver)
{
    request->follow(request, receiver);
    request_answer(request);
}

void request_refuse(void *message)
{
    request_answer(*(struct request **)message);
}
