/* own_completion_ends_wait: a send for which the socket has space completes within the call that submits it. If the same call waits for one event, it
 * therefore does not sleep.
 *
 * Seen: 6.18.
 * Relied on by: src/io/uring_sending.c, where sends post no completion when they succeed. If this did not hold, ordinary sends would do. */
#include "ring.h"

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    uint32_t ready;

    ring_open(&ring, 8);
    sqe = ring_request(&ring);
    io_uring_prep_send(sqe, pair.ours, "x", 1, MSG_NOSIGNAL);
    sqe->user_data = 1;
    (void)RING_MUST(io_uring_submit(&ring));
    ready = io_uring_cq_ready(&ring);
    fact_holds(ready == 1, "%u completions instead of the send's after a call that waits for nothing", ready);
    (void)RING_MUST(io_uring_peek_cqe(&ring, &cqe));
    fact_holds(cqe->res == 1, "the send's result is %d", cqe->res);
    return 0;
}
