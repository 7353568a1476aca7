/* close_ends_no_request: close(2) neither ends an io_uring poll on the socket nor sends FIN. FIN is sent when the poll has been cancelled.
 *
 * Seen: 6.18. A request keeps the file open.
 * Relied on by: src/io/uring_ops.c, uring_close(), which first cancels what is in flight. This is why include/io/io.h promises that `closed` is the last
 * event. */
#include "ring.h"

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe cqe;
    char byte;

    ring_open(&ring, 8);
    sqe = ring_request(&ring);
    io_uring_prep_poll_add(sqe, pair.ours, POLLIN);
    sqe->user_data = 1;
    (void)RING_MUST(io_uring_submit(&ring));
    (void)MUST(close(pair.ours));
    fact_holds(ring_is_quiet(&ring, &cqe), "close(2) ended the poll: %d", cqe.res);
    fact_holds(recv(pair.theirs, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "the peer was told of the end while the poll was in flight");

    sqe = ring_request(&ring);
    io_uring_prep_cancel64(sqe, 1, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 2;
    fact_holds(ring_next(&ring, &cqe) && cqe.user_data == 1 && cqe.res == -ECANCELED, "completion %d after the cancellation: %d", (int)cqe.user_data, cqe.res);
    fact_holds(fact_await(pair.theirs, POLLRDHUP) & POLLRDHUP, "the peer was not told of the end when the poll was cancelled");
    return 0;
}
