/* io/uring_writable.c: waits until a full socket is writable, and continues the send that filled it. Worker thread; owns nothing.
 *
 * Every poll of the ring also ends when the peer has half-closed, because the kernel's IO_POLL_UNMASK adds POLLRDHUP. If a client has half-closed and reads
 * slowly, a poll for POLLOUT therefore ends at once, again and again, and a send through the ring is retried until a kernel thread takes it over. So sends
 * are made here, when the socket is writable. After a poll has ended by POLLRDHUP alone, the next one is a multishot poll, which is edge-triggered: it
 * reports the half-close once and then only changes. It also reports changes that no operation waits for, so other sockets use one-shot polls. */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "io/kernel.h"
#include "io/uring.h"

static void tell_writable(struct uring *uring, struct io_sock *sock)
{
    if (sock->send_data)
        uring_send_on(uring, sock);
    else
        sock->events->writable(sock);
}

void uring_wait_writable(struct uring *uring, struct io_sock *sock)
{
    struct io_uring_sqe *sqe;

    sock->wants_writable = true;
    if (!(sock->in_flight & 1u << OP_OUT)) {
        sqe = uring_sqe_for(uring, sock, OP_OUT);
        if (sock->peer_ended)
            io_uring_prep_poll_multishot(sqe, sock->fd, POLLOUT);
        else
            io_uring_prep_poll_add(sqe, sock->fd, POLLOUT);
        uring_sqe_name(uring, sqe, sock, OP_OUT);
    } else if (sock->was_writable && !(sock->in_flight & 1u << OP_WRITABLE)) { /* the change may have happened before this wait began */
        sqe = uring_sqe_for(uring, sock, OP_WRITABLE);
        io_uring_prep_nop(sqe);
        uring_sqe_name(uring, sqe, sock, OP_WRITABLE);
    }
    sock->was_writable = false;
}

void uring_writable(struct uring *uring, struct io_sock *sock, int result)
{
    bool only_the_end = result >= 0 && !(result & (POLLOUT | POLLERR | POLLHUP));

    if (only_the_end) {
        sock->peer_ended = true;
        if (sock->wants_writable)
            uring_wait_writable(uring, sock);
    } else if (sock->wants_writable) {
        sock->wants_writable = false;
        tell_writable(uring, sock);
    } else {
        sock->was_writable = true;
    }
}

void uring_send_on(struct uring *uring, struct io_sock *sock)
{
    ssize_t sent;

    do {
        sent = kernel_send(sock->fd, sock->send_data, sock->send_bytes);
    } while (sent == -EINTR);
    if (sent > 0) {
        sock->send_data += sent;
        sock->send_bytes -= (uint32_t)sent;
    }
    if (sent < 0 && sent != -EAGAIN)
        uring_sent(sock, (int)-sent);
    else if (sock->send_bytes == 0)
        uring_sent(sock, 0);
    else
        uring_wait_writable(uring, sock);
}

int uring_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    struct uring *uring = uring_of(io);
    ssize_t sent;

    assert(!sock->send_data);
    if (uring_sending_add(uring, sock, data, bytes))
        return IO_PENDING;
    sent = kernel_send(sock->fd, data, bytes);
    if (sent == (ssize_t)bytes)
        return IO_SENT;
    if (sent < 0)
        return (int)sent;
    sock->send_data = data + sent;
    sock->send_bytes = bytes - (uint32_t)sent;
    uring_wait_writable(uring, sock);
    return IO_PENDING;
}
