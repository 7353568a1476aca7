/* overflow_keeps_order: completions for which the queue has no space are kept, and IORING_SQ_CQ_OVERFLOW is set. A later call into the kernel appends them
 * to the queue before any newer completion.
 *
 * Seen: 6.18. No completion is dropped since 5.5 (IORING_FEAT_NODROP).
 * Relied on by: src/io/uring_sending.c, all_completed(), which reads up to a recorded end of the queue to know that every completion of a batch was read;
 * src/io/uring.c, whose completion queue has only eight times the entries of the submission queue. */
#include "ring.h"

enum { ROOM = 4, REQUESTS = 10 };

static void hand_over_nop(struct io_uring *ring, uint64_t user_data)
{
    struct io_uring_sqe *sqe = ring_request(ring);

    io_uring_prep_nop(sqe);
    sqe->user_data = user_data;
    (void)RING_MUST(io_uring_submit(ring));
}

int main(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, .cq_entries = ROOM};
    struct io_uring ring;
    struct io_uring_cqe *cqe;

    ring_open_as(&ring, ROOM, &params);
    for (uint64_t i = 1; i < REQUESTS; i++)
        hand_over_nop(&ring, i);
    fact_holds(io_uring_cq_ready(&ring) == ROOM, "a queue with room for %d has %u completions", ROOM, io_uring_cq_ready(&ring));
    fact_holds(io_uring_cq_has_overflow(&ring), "IORING_SQ_CQ_OVERFLOW is not set");
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        if (i == ROOM / 2) /* the queue has some space, and some completions are still unread */
            hand_over_nop(&ring, REQUESTS);
        fact_holds(io_uring_peek_cqe(&ring, &cqe) == 0, "completion %d of %d is lost", (int)i, REQUESTS);
        fact_holds(cqe->user_data == i, "completion %d came in place of number %d", (int)cqe->user_data, (int)i);
        io_uring_cqe_seen(&ring, cqe);
    }
    fact_holds(!io_uring_cq_has_overflow(&ring), "IORING_SQ_CQ_OVERFLOW is still set when everything was read");
    return 0;
}
