/* minimal_wait_gathers: a wait with a minimal time goes on for that time although there is an event, when more were asked for; after that the first
 * event ends it.
 *
 * Seen: 6.18; since 6.12.
 * Relied on by: src/io/uring_wait.c, gather(), also with a number of events that cannot be reached. */
#include <signal.h>

#include "ring.h"

enum { FEAT_MIN_TIMEOUT = 1u << 15, MANY = 1024, MIN_WAIT_US = 3000, LATER_MS = 30 };

/* struct io_uring_getevents_arg, as in src/io/uring_wait.c. */
struct wait_argument {
    uint64_t sigmask;
    uint32_t sigmask_bytes, min_wait_us;
    uint64_t timeout;
};

/* Hands over one request and waits for MANY events; how long that took. */
static uint64_t wait_ns(struct io_uring *ring)
{
    struct __kernel_timespec span = {.tv_sec = FACT_DEADLINE_MS / 1000};
    struct wait_argument argument = {.sigmask_bytes = _NSIG / 8, .min_wait_us = MIN_WAIT_US, .timeout = (uint64_t)(uintptr_t)&span};
    uint64_t began_ns;

    (void)RING_MUST(io_uring_submit(ring)); /* its completion, if there is one now, is there before the wait */
    began_ns = fact_now_ns();
    (void)RING_MUST(io_uring_enter2((unsigned)ring->ring_fd, 0, MANY, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (sigset_t *)(void *)&argument,
                                    sizeof(argument)));
    return fact_now_ns() - began_ns;
}

int main(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, .cq_entries = 4 * MANY};
    struct __kernel_timespec later = {.tv_nsec = LATER_MS * 1000000};
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    uint64_t took_ns;

    ring_open_as(&ring, 8, &params);
    if (!(params.features & FEAT_MIN_TIMEOUT))
        fact_skip("this kernel has no wait with a minimal time");
    sqe = ring_request(&ring);
    io_uring_prep_nop(sqe);
    sqe->user_data = 1;
    took_ns = wait_ns(&ring);
    fact_holds(took_ns >= MIN_WAIT_US * (uint64_t)1000, "the wait ended after %d us of %d", (int)(took_ns / 1000), MIN_WAIT_US);
    fact_holds(took_ns < FACT_DEADLINE_MS * (uint64_t)1000000, "the wait did not end, although there was an event");
    io_uring_cq_advance(&ring, 1);

    sqe = ring_request(&ring);
    io_uring_prep_timeout(sqe, &later, 0, 0);
    sqe->user_data = 2;
    took_ns = wait_ns(&ring);
    fact_holds(took_ns < FACT_DEADLINE_MS * (uint64_t)1000000 && io_uring_cq_ready(&ring) == 1, "the event after the minimal time did not end the wait: %d ms",
               (int)(took_ns / 1000000));
    return 0;
}
