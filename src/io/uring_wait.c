/* io/uring_wait.c: hands requests over and waits. Worker thread; owns nothing. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "io/kernel.h"
#include "io/uring.h"

/* struct io_uring_getevents_arg of io_uring_enter(2). The field min_wait_us is called `pad` in the headers of liburing up to 2.7 and min_wait_usec from then
 * on. */
struct wait_argument {
    uint64_t sigmask;
    uint32_t sigmask_bytes;
    uint32_t min_wait_us; /* Linux 6.12 */
    uint64_t timeout;     /* struct __kernel_timespec *, or 0 */
};
_Static_assert(sizeof(struct wait_argument) == sizeof(struct io_uring_getevents_arg), "the kernel's argument");

/* io_uring_enter(2) with a time until which it waits for `events` and after which the first will do: liburing 2.3 has no call for it. `timeout_ms` -1: no end.
 * Returns as the call does. */
static int enter_ring(struct uring *uring, uint32_t events, uint32_t min_wait_us, int64_t timeout_ms)
{
    struct io_uring_sq *queue = &uring->ring.sq;
    struct __kernel_timespec span = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    struct wait_argument argument = {
        .sigmask_bytes = _NSIG / 8,
        .min_wait_us = min_wait_us,
        .timeout = timeout_ms < 0 ? 0 : (uint64_t)(uintptr_t)&span,
    };
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | (uring->registered ? IORING_ENTER_REGISTERED_RING : 0);

    /* What was prepared becomes visible to the kernel, as in liburing's own submission. */
    queue->sqe_head = queue->sqe_tail;
    io_uring_smp_store_release(queue->ktail, queue->sqe_tail);
    return io_uring_enter2((unsigned)uring->ring.enter_ring_fd, io_uring_sq_ready(&uring->ring), events, flags, (sigset_t *)(void *)&argument,
                           sizeof(argument));
}

static bool has_completions(const struct uring *uring)
{
    return io_uring_cq_ready(&uring->ring) > 0 || *(volatile unsigned *)uring->ring.sq.kflags & IORING_SQ_TASKRUN;
}

/* Looks for events until the time is over, without entering the kernel: it leaves a flag when a completion waits for us to come in. */
static void busy_poll(struct uring *uring, uint64_t until_ns)
{
    while (!has_completions(uring) && clock_now_ns() < until_ns)
        ;
}

/* Hands over, then looks for a while. True: something is there, or it failed; `*result` is what the wait returns. */
static bool look_first(struct uring *uring, int *result)
{
    uint64_t looked_from_ns;

    *result = io_uring_submit(&uring->ring);
    if (*result < 0)
        return true;
    looked_from_ns = clock_now_ns(); /* what was handed over has been done by now: that was work */
    busy_poll(uring, looked_from_ns + (uint64_t)uring->io.pace.spin_us * 1000);
    uring->io.spun_ns = clock_now_ns() - looked_from_ns;
    if (!has_completions(uring))
        return false;
    *result = io_uring_get_events(&uring->ring);
    return true;
}

static int wait_for_batch(struct uring *uring, int64_t timeout_ms)
{
    const struct io_pace *pace = &uring->io.pace;
    bool all = pace->gather_events == IO_GATHER_ALL;
    int result;

    if (uring->min_wait) /* the kernel takes a very large number for none */
        return enter_ring(uring, all ? URING_SQ_ENTRIES : pace->gather_events, pace->gather_us, timeout_ms);
    if (all) {
        result = io_uring_submit(&uring->ring);
        if (result < 0)
            return result;
        kernel_rest(pace->gather_us);
    }
    return enter_ring(uring, 1, 0, timeout_ms);
}

static int sleep_or_look(struct uring *uring, int64_t timeout_ms)
{
    int result;

    if (timeout_ms == 0)
        return io_uring_submit_and_get_events(&uring->ring);
    if (uring->io.pace.spin_us > 0 && look_first(uring, &result))
        return result;
    return uring->io.pace.gather_events > 1 ? wait_for_batch(uring, timeout_ms) : enter_ring(uring, 1, 0, timeout_ms);
}

int uring_wait(struct io *io, int64_t timeout_ms)
{
    struct uring *uring = uring_of(io);
    uint64_t began_ns = clock_now_ns();
    int result;

    if (closing_any(&uring->closing) || uring->hurried)
        timeout_ms = 0;
    else if (!list_empty(&uring->starving)) /* they are tried again at once, or in a moment when there is no memory for a ring */
        timeout_ms = uring->lacks_ring ? 1 : 0;
    uring->hurried = false;
    io->spun_ns = 0;
    uring_sending_prepare(uring);
    result = sleep_or_look(uring, timeout_ms);
    uring_sending_submitted(uring, began_ns);
    io->now_ns = clock_now_ns();
    io->sent_ns = io->now_ns;
    io->waited_ns = io->now_ns - began_ns;
    io->events = io_uring_cq_ready(&uring->ring);
    if (uring->failed)
        return uring->failed;
    if (result == -EINTR) /* frozen or traced: of that nobody else tells */
        uring_look_again(io);
    switch (result) {
    case -ETIME:
    case -EINTR:
    case -EAGAIN: /* no memory for a request just now: what is queued stays queued */
    case -EBUSY:  /* completions must be reaped first */
        return 0;
    default:
        return result < 0 ? result : 0;
    }
}
