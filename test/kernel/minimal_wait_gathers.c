/* minimal_wait_gathers: a wait with a minimum time lasts that long even if there is an event, as long as there are fewer events than it waits for. After
 * that time, the first event ends it.
 *
 * Seen: 6.18; since 6.12.
 * Relied on by: src/io/uring_wait.c, batch_first(), which always waits for more events than can arrive. */
#include <signal.h>

#include "ring.h"

enum { FEAT_MIN_TIMEOUT = 1u << 15, MANY = 1024, MIN_WAIT_US = 3000, LATER_MS = 30 };

/* The same as struct io_uring_getevents_arg; src/io/uring_wait.c says why it is defined again. */
struct wait_argument {
    uint64_t sigmask;
    uint32_t sigmask_bytes, min_wait_us;
    uint64_t timeout;
};

/* Submits the queued request and waits for MANY events. Returns the duration of the wait. */
static uint64_t wait_ns(struct io_uring *ring)
{
    struct __kernel_timespec span = {.tv_sec = FACT_DEADLINE_MS / 1000};
    struct wait_argument argument = {.sigmask_bytes = _NSIG / 8, .min_wait_us = MIN_WAIT_US, .timeout = (uint64_t)(uintptr_t)&span};
    uint64_t began_ns;

    (void)RING_MUST(io_uring_submit(ring)); /* if the request completes at once, its completion is posted before the wait begins */
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
