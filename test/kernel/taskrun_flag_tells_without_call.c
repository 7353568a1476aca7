/* taskrun_flag_tells_without_call: with IORING_SETUP_TASKRUN_FLAG, a ring with deferred task work sets a flag in shared memory when such work is pending.
 * The completion is posted by the next call that asks for events.
 *
 * Seen: 6.18. The flag exists since 5.19, deferred task work since 6.1.
 * Relied on by: src/io/uring_wait.c, busy_poll(), which reads the flag instead of entering the kernel. */
#include "ring.h"

static bool flagged(const struct io_uring *ring)
{
    return *(volatile unsigned *)ring->sq.kflags & IORING_SQ_TASKRUN;
}

int main(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG};
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    uint64_t deadline_ns;

    ring_open_as(&ring, 8, &params);
    sqe = ring_request(&ring);
    io_uring_prep_poll_add(sqe, pair.ours, POLLIN);
    sqe->user_data = 1;
    (void)RING_MUST(io_uring_submit(&ring));
    fact_holds(!flagged(&ring), "the flag is set with nothing to tell");
    (void)MUST(send(pair.theirs, "x", 1, 0));
    deadline_ns = fact_deadline_ns();
    while (!flagged(&ring) && fact_now_ns() < deadline_ns)
        ;
    fact_holds(flagged(&ring), "the flag is not set, although the socket is readable: 0x%x", (unsigned)fact_ready(pair.ours, POLLIN));
    fact_holds(io_uring_cq_ready(&ring) == 0, "there is a completion before any call");
    (void)RING_MUST(io_uring_get_events(&ring));
    fact_holds(io_uring_cq_ready(&ring) == 1, "a call that asks for events brings %u completions", io_uring_cq_ready(&ring));
    fact_holds(!flagged(&ring), "the flag is still set");
    return 0;
}
