/* options_come_before_connect: a request that sets a socket option is executed before a connect request that was queued after it, even if the two are not
 * linked.
 *
 * Seen: 6.18. Requests that set options exist since 6.7.
 * Relied on by: src/io/uring_options.c. Buffer sizes and the congestion control must be set before the handshake begins. */
#include "ring.h"

enum { COMMAND_SETSOCKOPT = 3, SEGMENT_BYTES = 600 }; /* the first as in src/io/uring_options.c */

int main(void)
{
    static const int segment_bytes = SEGMENT_BYTES;
    int listener = fact_socket(), fd = fact_socket(), accepted, told;
    struct sockaddr_in address = fact_listen(listener);
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe cqe;

    ring_open(&ring, 8);
    sqe = ring_request(&ring);
    io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, COMMAND_SETSOCKOPT);
    sqe->addr = (uint32_t)IPPROTO_TCP | (uint64_t)TCP_MAXSEG << 32;
    sqe->file_index = sizeof(segment_bytes);
    sqe->addr3 = (uint64_t)(uintptr_t)&segment_bytes;
    sqe->user_data = 1;
    sqe = ring_request(&ring);
    io_uring_prep_connect(sqe, fd, (const struct sockaddr *)&address, sizeof(address));
    sqe->user_data = 2;
    for (int i = 0; i < 2; i++) {
        fact_holds(ring_next(&ring, &cqe), "%d of 2 requests were carried out", i);
        if (cqe.user_data == 1 && (cqe.res == -EOPNOTSUPP || cqe.res == -EINVAL))
            fact_skip("this kernel sets no options by requests");
        fact_holds(cqe.res == 0, "request %d failed: %d", (int)cqe.user_data, cqe.res);
    }
    accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    told = fact_get(accepted, IPPROTO_TCP, TCP_MAXSEG); /* the value from the SYN, minus the timestamps */
    fact_holds(told <= SEGMENT_BYTES, "the handshake told segments of %d bytes, although the option said %d", told, SEGMENT_BYTES);
    return 0;
}
