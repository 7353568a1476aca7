/* withdrawn_buffers_lose_nothing: after a ring of buffers is unregistered, a multishot receive that was armed with it uses none of its buffers. The receive
 * ends with ENOBUFS when the next byte arrives, and the byte stays in the socket.
 *
 * Seen: 6.18. Rings of buffers exist since 5.19.
 * Relied on by: src/io/uring_buffers.c, uring_buffers_withdraw() and uring_buffers_renew(), which then frees the buffers; src/io/uring.c, which
 * arms receives again after ENOBUFS. */
#include "ring.h"

int main(void)
{
    static struct ring_buffers buffers;
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    struct io_uring_cqe cqe;

    ring_open(&ring, 8);
    ring_buffers_register(&ring, &buffers);
    ring_receive(&ring, pair.ours, 0, 1);
    fact_holds(ring_is_quiet(&ring, &cqe), "a receive ended with nothing to receive: %d", cqe.res);
    (void)RING_MUST(io_uring_unregister_buf_ring(&ring, RING_GROUP));
    fact_holds(ring_is_quiet(&ring, &cqe), "the receive ended with its buffers: %d", cqe.res);
    (void)MUST(send(pair.theirs, "x", 1, 0));
    fact_holds(ring_next(&ring, &cqe), "the receive does not end when a byte comes");
    fact_holds(cqe.res == -ENOBUFS && !(cqe.flags & IORING_CQE_F_MORE), "the receive ended with %d, flags 0x%x", cqe.res, cqe.flags);
    fact_holds(fact_asked(pair.ours, SIOCINQ) == 1, "the byte is not in the socket any more");
    for (size_t i = 0; i < sizeof(buffers.bytes); i++)
        fact_holds(buffers.bytes[i] == 0, "the byte is in a buffer that was withdrawn");

    ring_buffers_register(&ring, &buffers);
    ring_receive(&ring, pair.ours, 0, 2);
    fact_holds(ring_next(&ring, &cqe) && cqe.res == 1, "a new receive with new buffers: %d", cqe.res);
    return 0;
}
