/* io/uring_sending.c: the sends of a turn, submitted together with the next wait. Worker thread; owns nothing.
 *
 * Entering the kernel costs a good part of what sending a small message costs. A send that starts while events are dispatched therefore only becomes a
 * request. It is submitted by the call that waits for the next events.
 *   Input: the sends that were started in a turn.
 *   Output: `sent` for each, in one of the next turns.
 *
 *     calls of a turn with n sends:  1 + n / 32, rounded down, instead of n + 1
 *
 *   Example: 64 clients, and ten messages arrive in a turn: ten requests and the wait are one call instead of eleven. If a call costs 1 us and a request 0.1
 *   us, this saves 0.9 us per message.
 *   Constants: a batch of 32 is submitted before the turn ends, or the first of many messages would wait for the last; 12 and 128 cost the same. At most 512
 *   sends are kept; further ones are sent directly.
 *   Saves: row echo-128-512, which costs 1.10 times the CPU time per request without it, within a noise of 6 %. Where a system call costs 1.2 us: 1.11 times,
 *   and row echo-128-64 1.09 times (bench/README).
 *
 * A send that succeeds in full posts no completion (IOSQE_CQE_SKIP_SUCCESS), because its own completion would end that wait at once. MSG_DONTWAIT keeps the
 * kernel from queueing a send that has to wait for room: it fails within the call instead. MSG_WAITALL turns a short send into a failure that reports how many
 * bytes were sent; without it, a short send would count as a success and be skipped. So after the call, a send without a completion is complete. */
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

static void tell_sent(struct uring *uring, struct io_sock *sock, int error)
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
        tell_sent(uring, sock, -result);
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
static bool all_completed(struct uring *uring)
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
    if (!all_completed(uring)) {
        uring->hurried = true; /* `sent` is still due to the caller of io_hurry() */
        return;
    }
    uring->io.sent_ns = uring->gathered_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (uring->gathered[i]) /* else it has failed */
            tell_sent(uring, uring->gathered[i], 0);
    }
    uring->io.sent_ns = uring->io.now_ns;
    uring->gathered_count -= count; /* the rest were started during these events */
    for (uint32_t i = 0; i < uring->gathered_count; i++)
        uring->gathered[i] = uring->gathered[count + i];
    uring->gathered_prepared = 0;
}
