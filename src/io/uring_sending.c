/* io/uring_sending.c: the sends of a turn, handed to the kernel together with the next wait. Worker thread; owns nothing.
 *
 * Entering the kernel costs a good part of what sending a small message does. So a send that is started while events are being told only becomes a request,
 * and goes with the call that waits for the next events. It posts no completion when it went out whole (IOSQE_CQE_SKIP_SUCCESS): a completion of our own
 * would end that wait at once. MSG_DONTWAIT keeps the kernel from putting one aside to wait for room: it fails within the call instead. MSG_WAITALL makes a
 * short send a failed one that tells how far it came; without it, it would count as a success and be skipped. So after the call a gathered send without a
 * completion is done. */
#include <errno.h>

#include "io/kernel.h"
#include "io/uring.h"

enum { GATHER_BATCH = 32 }; /* so many are not kept waiting for more */

bool uring_sending_add(struct uring *uring, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    if (!uring->gathers || uring->gathered_count == URING_GATHERED_MAX)
        return false;
    sock->send_data = data;
    sock->send_bytes = bytes;
    sock->in_flight |= 1u << OP_GATHERED;
    uring->gathered[uring->gathered_count++] = sock;
    return true;
}

static void told(struct uring *uring, struct io_sock *sock, int error)
{
    sock->in_flight &= (uint8_t) ~(1u << OP_GATHERED);
    if (sock->closing)
        uring_closing_progress(uring, sock);
    else
        uring_sent(sock, error);
}

void uring_sending_failed(struct uring *uring, struct io_sock *sock, int result)
{
    for (uint32_t i = 0; i < uring->gathered_prepared; i++) {
        if (uring->gathered[i] == sock)
            uring->gathered[i] = NULL;
    }
    if (sock->closing || (result < 0 && result != -EAGAIN && result != -EINTR)) {
        told(uring, sock, -result);
        return;
    }
    sock->in_flight &= (uint8_t) ~(1u << OP_GATHERED);
    if (result > 0) {
        sock->send_data += result;
        sock->send_bytes -= (uint32_t)result;
    }
    uring_send_on(uring, sock);
}

void uring_sending_prepare(struct uring *uring)
{
    for (; uring->gathered_prepared < uring->gathered_count; uring->gathered_prepared++)
        uring_prepare_gathered(uring, uring->gathered[uring->gathered_prepared]);
}

void uring_sending_submitted(struct uring *uring, uint64_t at_ns)
{
    uring->gathered_ns = at_ns;
    uring->gathered_taken = io_uring_sq_ready(&uring->ring) == 0;
    uring->gathered_beside = io_uring_cq_has_overflow(&uring->ring);
    uring->gathered_tail = *uring->ring.cq.ktail;
}

void uring_sending_full(struct uring *uring)
{
    if (uring->gathered_count - uring->gathered_prepared < GATHER_BATCH)
        return;
    uring_sending_prepare(uring);
    (void)io_uring_submit(&uring->ring); /* what it does not take now goes with the wait */
    uring_sending_submitted(uring, uring->io.now_ns);
}

/* Whether the kernel has taken all requests, and all that it said of them is read. What had no room in the completion queue then has been moved into it by now,
 * behind what was there: any call into the kernel does that, also one made while completions are being read. */
static bool settled(struct uring *uring)
{
    if (!uring->gathered_taken || io_uring_cq_has_overflow(&uring->ring))
        return false;
    if (uring->gathered_beside) {
        uring->gathered_beside = false;
        uring->gathered_tail = *uring->ring.cq.ktail;
    }
    return (int32_t)(*uring->ring.cq.khead - uring->gathered_tail) >= 0;
}

void uring_sending_settle(struct uring *uring)
{
    uint32_t count = uring->gathered_prepared;

    if (count == 0)
        return;
    if (!settled(uring)) {
        uring->hurried = true; /* whoever hurried has not been told */
        return;
    }
    uring->io.sent_ns = uring->gathered_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (uring->gathered[i]) /* else it has failed */
            told(uring, uring->gathered[i], 0);
    }
    uring->io.sent_ns = uring->io.now_ns;
    uring->gathered_count -= count; /* what is left was started meanwhile */
    for (uint32_t i = 0; i < uring->gathered_count; i++)
        uring->gathered[i] = uring->gathered[count + i];
    uring->gathered_prepared = 0;
}
