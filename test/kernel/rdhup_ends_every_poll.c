/* rdhup_ends_every_poll: an io_uring poll for POLLOUT also ends when the peer half-closes. It then reports only POLLRDHUP, which was not asked for.
 *
 * Seen: 6.18. IO_POLL_UNMASK in the kernel adds POLLRDHUP to every poll.
 * Relied on by: src/io/uring_writable.c. After such an end, the socket does not count as writable, and a multishot poll waits from then on. Sends to a full
 * socket are made there directly and not through the ring. */
#include "ring.h"

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe cqe;

    ring_open(&ring, 8);
    fact_fill(pair.ours);
    sqe = ring_request(&ring);
    io_uring_prep_poll_add(sqe, pair.ours, POLLOUT);
    sqe->user_data = 1;
    fact_holds(ring_is_quiet(&ring, &cqe), "a poll for POLLOUT on a full socket ended at once: %d", cqe.res);
    (void)MUST(shutdown(pair.theirs, SHUT_WR));
    fact_holds(ring_next(&ring, &cqe), "the poll did not end when the peer half-closed");
    fact_holds(cqe.res >= 0 && cqe.res & POLLRDHUP && !(cqe.res & POLLOUT), "the poll ended with 0x%x instead of POLLRDHUP", (unsigned)cqe.res);
    return 0;
}
