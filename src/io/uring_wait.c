/* io/uring_wait.c: submits requests and waits for completions. Worker thread; owns nothing. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "io/kernel.h"
#include "io/uring.h"

/* The same as struct io_uring_getevents_arg of io_uring_enter(2), whose field min_wait_us has different names: `pad` in the headers of liburing up to 2.7, and
 * min_wait_usec in later ones. */
struct wait_argument {
    uint64_t sigmask;
    uint32_t sigmask_bytes;
    uint32_t min_wait_us; /* Linux 6.12 */
    uint64_t timeout;     /* struct __kernel_timespec *, or 0 */
};
_Static_assert(sizeof(struct wait_argument) == sizeof(struct io_uring_getevents_arg), "the kernel's argument");

/* Calls io_uring_enter(2) so that it waits `min_wait_us` for a number of `events`, and after that only for the first event, up to `timeout_ms` (-1: no limit).
 * liburing 2.3 has no function for this. Returns the result of the call. */
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

    /* Make the prepared requests visible to the kernel, as liburing does when it submits. */
    queue->sqe_head = queue->sqe_tail;
    io_uring_smp_store_release(queue->ktail, queue->sqe_tail);
    return io_uring_enter2((unsigned)uring->ring.enter_ring_fd, io_uring_sq_ready(&uring->ring), events, flags, (sigset_t *)(void *)&argument,
                           sizeof(argument));
}

static bool has_completions(const struct uring *uring)
{
    return io_uring_cq_ready(&uring->ring) > 0 || *(volatile unsigned *)uring->ring.sq.kflags & IORING_SQ_TASKRUN;
}

/* Busy-polls until there is an event or the time is over. It does not enter the kernel, which sets a flag in the ring when a completion waits for such a
 * call. */
static void busy_poll(struct uring *uring, uint64_t until_ns)
{
    while (!has_completions(uring) && clock_now_ns() < until_ns)
        ;
}

/* Submits requests, then busy-polls. Returns true if there is an event or the call failed; `*result` is then the result of the wait. */
static bool poll_first(struct uring *uring, int *result)
{
    uint64_t from_ns;

    *result = io_uring_submit(&uring->ring);
    if (*result < 0)
        return true;
    from_ns = clock_now_ns(); /* the submitted requests were executed before this moment, so their time does not count as polling */
    busy_poll(uring, from_ns + (uint64_t)uring->io.waiting.busy_poll_us * 1000);
    uring->io.polled_ns = clock_now_ns() - from_ns;
    if (!has_completions(uring))
        return false;
    *result = io_uring_get_events(&uring->ring);
    return true;
}

/* Waits for more events than ever arrive in that time: the time passes in full, and then the first event ends the wait. */
static int batch_first(struct uring *uring, int64_t timeout_ms)
{
    uint32_t batch_us = uring->io.waiting.batch_us;
    int result;

    if (uring->min_wait)
        return enter_ring(uring, URING_SQ_ENTRIES, batch_us, timeout_ms);
    result = io_uring_submit(&uring->ring);
    if (result < 0)
        return result;
    kernel_sleep(batch_us);
    return enter_ring(uring, 1, 0, timeout_ms);
}

static int poll_or_sleep(struct uring *uring, int64_t timeout_ms)
{
    int result;

    if (timeout_ms == 0)
        return io_uring_submit_and_get_events(&uring->ring);
    if (uring->io.waiting.busy_poll_us > 0 && poll_first(uring, &result))
        return result;
    return uring->io.waiting.batch_us > 0 ? batch_first(uring, timeout_ms) : enter_ring(uring, 1, 0, timeout_ms);
}

int uring_wait(struct io *io, int64_t timeout_ms)
{
    struct uring *uring = uring_of(io);
    uint64_t began_ns = clock_now_ns();
    int result;

    if (closing_any(&uring->closing) || uring->hurried)
        timeout_ms = 0;
    else if (!list_empty(&uring->starving)) /* retry them at once, or after 1 ms if there is no memory for a ring */
        timeout_ms = uring->lacks_ring ? 1 : 0;
    uring->hurried = false;
    io->polled_ns = 0;
    uring_sending_prepare(uring);
    result = poll_or_sleep(uring, timeout_ms);
    uring_sending_submitted(uring, began_ns);
    io->now_ns = clock_now_ns();
    io->sent_ns = io->now_ns;
    io->waited_ns = io->now_ns - began_ns;
    io->events = io_uring_cq_ready(&uring->ring);
    if (uring->failed)
        return uring->failed;
    if (result == -EINTR) /* the process was frozen or traced, which nothing else reports */
        uring_look_again(io);
    switch (result) {
    case -ETIME:
    case -EINTR:
    case -EAGAIN: /* out of memory for a request: queued requests stay queued */
    case -EBUSY:  /* completions must be reaped first */
        return 0;
    default:
        return result < 0 ? result : 0;
    }
}
