/* cancel_by_user_data: a cancellation by user_data finds a multishot receive that has delivered bytes and waits for more.
 *
 * Seen: 6.18. On 6.11 the cancellation could miss it (liburing issue 1375).
 * Relied on by: src/io/uring_ops.c, uring_cancel(). Its last resort is to cancel by descriptor, for which the kernel searches all requests of the ring: this
 * takes minutes when thousands of sockets are closed at once. */
#include "ring.h"

enum { ROUNDS = 500, CANCELLATION = 0 }; /* user_data of the receive is the number of its round, from 1 */

int main(void)
{
    static struct ring_buffers buffers;
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;

    ring_open(&ring, 8);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct io_uring_cqe cqe[2];
        struct io_uring_sqe *sqe;

        ring_buffers_register(&ring, &buffers);
        ring_receive(&ring, pair.ours, 0, round);
        (void)MUST(send(pair.theirs, "x", 1, 0));
        fact_holds(ring_next(&ring, &cqe[0]) && cqe[0].res == 1 && cqe[0].flags & IORING_CQE_F_MORE, "the receive: %d, flags 0x%x", cqe[0].res, cqe[0].flags);
        sqe = ring_request(&ring);
        io_uring_prep_cancel64(sqe, round, 0);
        sqe->user_data = CANCELLATION;
        for (int i = 0; i < 2; i++)
            fact_holds(ring_next(&ring, &cqe[i]), "round %d: %d of 2 completions came after the cancellation", (int)round, i);
        for (int i = 0; i < 2; i++) {
            int expected = cqe[i].user_data == CANCELLATION ? 0 : -ECANCELED;

            fact_holds(cqe[i].res == expected, "round %d: the %s ended with %d", (int)round, expected ? "receive" : "cancellation", cqe[i].res);
        }
        (void)RING_MUST(io_uring_unregister_buf_ring(&ring, RING_GROUP));
    }
    return 0;
}
