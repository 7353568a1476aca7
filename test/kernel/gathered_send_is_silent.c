/* gathered_send_is_silent: a send with IOSQE_CQE_SKIP_SUCCESS, MSG_DONTWAIT and MSG_WAITALL posts no completion if all bytes were sent. Otherwise a
 * completion with the short count or the error is posted before the call that submits the send returns.
 *
 * Seen: 6.18. IOSQE_CQE_SKIP_SUCCESS exists since 5.17.
 * Relied on by: src/io/uring_sending.c, which counts a send as complete if the call posted no completion for it. src/io/self_test.c tests the same at each
 * start. */
#include "ring.h"

enum { LARGE = 4 * 1024 * 1024, SMALL = 1000 };

/* Submits the send with a call that does not wait. Returns the number of completions that are there after it, and sets `*result` to the result of the first. */
static unsigned hand_over(struct io_uring *ring, int fd, const char *bytes, size_t count, int *result)
{
    struct io_uring_sqe *sqe = ring_request(ring);
    struct io_uring_cqe *cqe;
    unsigned completions;

    io_uring_prep_send(sqe, fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 1;
    (void)RING_MUST(io_uring_submit(ring));
    completions = io_uring_cq_ready(ring);
    *result = 0;
    if (completions > 0) {
        (void)RING_MUST(io_uring_peek_cqe(ring, &cqe));
        *result = cqe->res;
        io_uring_cq_advance(ring, completions);
    }
    return completions;
}

int main(void)
{
    static char bytes[LARGE];
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_cqe cqe;
    unsigned count;
    int result;

    ring_open(&ring, 8);
    fact_set(pair.ours, SOL_SOCKET, SO_SNDBUF, 65536);
    count = hand_over(&ring, pair.ours, bytes, SMALL, &result);
    fact_holds(count == 0, "a send that fits posted a completion: %d", result);
    fact_await_unread(pair.theirs, SMALL);

    count = hand_over(&ring, pair.ours, bytes, LARGE, &result);
    fact_holds(count == 1 && result > 0 && result < LARGE, "a send that fits in part: %u completions, result %d", count, result);
    fact_fill(pair.ours);
    count = hand_over(&ring, pair.ours, bytes, SMALL, &result);
    fact_holds(count == 1 && result == -EAGAIN, "a send to a full socket: %u completions, result %d", count, result);

    fact_reset(pair.theirs);
    (void)fact_await(pair.ours, POLLHUP);
    count = hand_over(&ring, pair.ours, bytes, SMALL, &result);
    fact_holds(count == 1 && result < 0 && result != -EAGAIN, "a send after a reset: %u completions, result %d", count, result);
    fact_holds(ring_is_quiet(&ring, &cqe), "one of the sends posted a completion later: %d", cqe.res);
    return 0;
}
