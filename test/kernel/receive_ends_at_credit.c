/* receive_ends_at_credit: a multishot receive with a limit in bytes (sqe->optlen) ends by itself after that many bytes, or at most one buffer later. It
 * leaves the rest in the socket.
 *
 * Seen: 6.18; since 6.17. Earlier kernels refuse such a request, and Penstock then submits one receive at a time.
 * Relied on by: src/io/uring_ops.c, uring_receive(). The credit is the back-pressure and bounds the memory. When it is used up, a direction can change
 * between copy and splice with no request to cancel. src/io/self_test.c tests the same at each start. */
#include "ring.h"

enum { CREDIT = 3 * RING_BUFFER_BYTES, SENT = 10 * RING_BUFFER_BYTES };

int main(void)
{
    static struct ring_buffers buffers;
    static const char bytes[SENT];
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_cqe cqe;
    int got = 0;

    ring_open(&ring, 32);
    ring_buffers_register(&ring, &buffers);
    (void)MUST(send(pair.theirs, bytes, sizeof(bytes), 0));
    fact_await_unread(pair.ours, SENT);
    ring_receive(&ring, pair.ours, CREDIT, 1);
    do {
        fact_holds(ring_next(&ring, &cqe), "the receive did not go on: %d of %d bytes", got, CREDIT);
        if (cqe.res == -EINVAL && got == 0)
            fact_skip("this kernel bounds no multishot receive");
        fact_holds(cqe.res > 0, "the receive ended with %d after %d of %d bytes", cqe.res, got, CREDIT);
        got += cqe.res;
    } while (cqe.flags & IORING_CQE_F_MORE);
    fact_holds(got >= CREDIT && got <= CREDIT + RING_BUFFER_BYTES, "the receive ended after %d bytes, its credit was %d", got, CREDIT);
    fact_holds(fact_asked(pair.ours, SIOCINQ) == SENT - got, "%d bytes were received, and %d of %d are left", got, fact_asked(pair.ours, SIOCINQ), SENT);
    return 0;
}
