/* io/uring_room.c: waits until a socket that was full has room, and goes on with the send that found it so. Worker thread; owns nothing.
 *
 * With every poll the kernel also waits for the end of what the peer sends (its IO_POLL_UNMASK), asked for or not. A client that has half-closed and reads slowly
 * ends a poll for room at once, again and again, and a send that was left to the ring is tried again and again until a kernel thread takes it. So sends are
 * made here, when there is room; and once a poll has ended by nothing but that end, the next is one that stays (multishot, edge-triggered): it tells of the end
 * once, and then of changes only. It tells also those who do not wait, so that others are spared it. */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "io/kernel.h"
#include "io/uring.h"

static void tell(struct uring *uring, struct io_sock *sock)
{
    if (sock->send_data)
        uring_send_on(uring, sock);
    else
        sock->events->writable(sock);
}

void uring_wait_for_room(struct uring *uring, struct io_sock *sock)
{
    struct io_uring_sqe *sqe;

    sock->wants_room = true;
    if (!(sock->in_flight & 1u << OP_OUT)) {
        sqe = uring_sqe_for(uring, sock, OP_OUT);
        if (sock->peer_ended)
            io_uring_prep_poll_multishot(sqe, sock->fd, POLLOUT);
        else
            io_uring_prep_poll_add(sqe, sock->fd, POLLOUT);
        uring_sqe_name(uring, sqe, sock, OP_OUT);
    } else if (sock->had_room && !(sock->in_flight & 1u << OP_ROOM)) { /* the change that this waits for may have been */
        sqe = uring_sqe_for(uring, sock, OP_ROOM);
        io_uring_prep_nop(sqe);
        uring_sqe_name(uring, sqe, sock, OP_ROOM);
    }
    sock->had_room = false;
}

void uring_room(struct uring *uring, struct io_sock *sock, int result)
{
    bool only_the_end = result >= 0 && !(result & (POLLOUT | POLLERR | POLLHUP));

    if (only_the_end) {
        sock->peer_ended = true;
        if (sock->wants_room)
            uring_wait_for_room(uring, sock);
    } else if (sock->wants_room) {
        sock->wants_room = false;
        tell(uring, sock);
    } else {
        sock->had_room = true;
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
        uring_wait_for_room(uring, sock);
}

int uring_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    struct uring *uring = uring_of(io);
    ssize_t sent;

    assert(!sock->send_data);
    if (uring_gather_add(uring, sock, data, bytes))
        return IO_PENDING;
    sent = kernel_send(sock->fd, data, bytes);
    if (sent == (ssize_t)bytes)
        return IO_SENT;
    if (sent < 0)
        return (int)sent;
    sock->send_data = data + sent;
    sock->send_bytes = bytes - (uint32_t)sent;
    uring_wait_for_room(uring, sock);
    return IO_PENDING;
}
