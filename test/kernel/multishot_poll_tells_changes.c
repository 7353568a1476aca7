/* multishot_poll_tells_changes: a multishot poll for POLLOUT reports a half-close once, and after that nothing until the socket is writable.
 *
 * Seen: 6.18. Multishot polls exist since 5.13.
 * Relied on by: src/io/uring_writable.c, uring_wait_writable(). A one-shot poll would end at once, again and again, for as long as the half-closed peer does
 * not read. */
#include "ring.h"

int main(void)
{
    static char bytes[65536];
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe cqe;

    ring_open(&ring, 8);
    fact_fill(pair.ours);
    (void)MUST(shutdown(pair.theirs, SHUT_WR));
    (void)fact_await(pair.ours, POLLRDHUP);
    sqe = ring_request(&ring);
    io_uring_prep_poll_multishot(sqe, pair.ours, POLLOUT);
    sqe->user_data = 1;
    fact_holds(ring_next(&ring, &cqe), "the poll says nothing about a half-closed peer");
    fact_holds(cqe.flags & IORING_CQE_F_MORE && !(cqe.res & POLLOUT), "the poll's first completion is 0x%x, flags 0x%x", (unsigned)cqe.res, cqe.flags);
    for (int i = 0; i < 100; i++)
        fact_holds(ring_is_quiet(&ring, &cqe), "the poll told 0x%x again, while nothing had changed", (unsigned)cqe.res);

    fact_block(pair.theirs, false);
    for (uint64_t deadline_ns = fact_deadline_ns(); !(fact_ready(pair.ours, POLLOUT) & POLLOUT); fact_pause(deadline_ns, "the socket to be writable"))
        while (recv(pair.theirs, bytes, sizeof(bytes), 0) > 0)
            ;
    fact_holds(ring_next(&ring, &cqe), "the poll does not tell that the peer has read");
    fact_holds(cqe.res & POLLOUT, "the peer has read, and the poll says 0x%x", (unsigned)cqe.res);
    return 0;
}
