/* io/uring_ops.c: the operations of io/io.h as requests to the ring. Worker thread; owns nothing.
 *
 * Receives, connects and polls are requests to the ring. A multishot receive is armed with a credit (`sqe->optlen`, Linux 6.17), after which the kernel ends
 * it. Sends are gathered (uring_sending.c) or, where the kernel does not let them or too many are, a send(2) each, whose result is known at once
 * (uring_writable.c). */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "io/kernel.h"
#include "io/uring.h"

#define SUBMIT_PATIENCE_NS ((uint64_t)10000000000)
enum { SUBMIT_RETRY_US = 1000 };

/* Bit of io_sock.cancelled: the kernel did not find an operation by its user_data. */
enum { CANCEL_FAILED = 1u << 7 };

/* Operations that end without being cancelled. */
enum { ENDS_ITSELF = 1u << OP_WRITABLE | 1u << OP_GATHERED };

static bool may_pass(int error)
{
    /* EAGAIN: out of memory. EBUSY: overflowed completions block submission; io_uring_get_events() moves them to our queue. */
    return error == EINTR || error == EAGAIN || error == EBUSY;
}

/* Submits a full submission queue. The kernel accepts it after some attempts; otherwise the engine has failed. */
static struct io_uring_sqe *submit_for_room(struct uring *uring)
{
    uint64_t began_ns = clock_now_ns();

    while (!uring->failed) {
        int result = io_uring_submit(&uring->ring);
        struct io_uring_sqe *sqe;

        if (result < 0)
            (void)io_uring_get_events(&uring->ring);
        sqe = io_uring_get_sqe(&uring->ring);
        if (sqe)
            return sqe;
        if ((result < 0 && !may_pass(-result)) || clock_now_ns() - began_ns > SUBMIT_PATIENCE_NS)
            uring->failed = result < 0 ? result : -EAGAIN;
        else
            kernel_sleep(SUBMIT_RETRY_US);
    }
    return &uring->spare;
}

struct io_uring_sqe *uring_next_sqe(struct uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    return sqe ? sqe : submit_for_room(uring);
}

struct io_uring_sqe *uring_sqe_for(struct uring *uring, struct io_sock *sock, int operation)
{
    assert(!(sock->in_flight & 1u << operation));
    sock->in_flight |= (uint8_t)(1u << operation);
    return uring_next_sqe(uring);
}

void uring_sqe_name(struct uring *uring, struct io_uring_sqe *sqe, const struct io_sock *sock, int operation)
{
    sqe->user_data = handles_key(&uring->handles, sock->slot, (uint8_t)operation);
}

int uring_open(struct io *io, struct io_sock *sock)
{
    int result = handles_add(&uring_of(io)->handles, sock);

    if (result < 0)
        kernel_close(sock);
    return result;
}

/* Requests must be cancelled explicitly, because close(2) cancels none. The kernel finds a request by its user_data at once. To find it by its descriptor, the
 * kernel walks through all requests of the ring, and closing thousands of sockets would take minutes. But the kernel can miss a multishot receive by its
 * user_data (seen on 6.11), so cancelling by descriptor is the last resort. */
void uring_cancel(struct uring *uring, struct io_sock *sock)
{
    unsigned left = sock->in_flight & ~(1u << OP_CANCEL | ENDS_ITSELF | sock->cancelled);
    struct io_uring_sqe *sqe;

    if (!left || sock->in_flight & 1u << OP_CANCEL)
        return;
    sock->cancelled |= left & -left;
    sqe = uring_sqe_for(uring, sock, OP_CANCEL);
    io_uring_prep_cancel64(sqe, handles_key(&uring->handles, sock->slot, (uint8_t)__builtin_ctz(left)), 0);
    uring_sqe_name(uring, sqe, sock, OP_CANCEL);
}

void uring_cancel_ended(struct uring *uring, struct io_sock *sock, int result)
{
    struct io_uring_sqe *sqe;

    if (!(sock->in_flight & ~ENDS_ITSELF))
        return;
    if (result < 0 && sock->cancelled & CANCEL_FAILED) {
        sqe = uring_sqe_for(uring, sock, OP_CANCEL);
        io_uring_prep_cancel_fd(sqe, sock->fd, IORING_ASYNC_CANCEL_ALL);
        uring_sqe_name(uring, sqe, sock, OP_CANCEL);
        return;
    }
    if (result < 0) /* the request has just ended, or it was being retried and is armed again: cancel once more */
        sock->cancelled = CANCEL_FAILED;
    uring_cancel(uring, sock);
}

void uring_close(struct io *io, struct io_sock *sock)
{
    struct uring *uring = uring_of(io);

    assert(!sock->closing);
    sock->closing = true;
    sock->cancelled = 0;
    list_remove(&sock->link);
    if (!sock->in_flight)
        closing_add(&uring->closing, sock, io->now_ns);
    else
        uring_cancel(uring, sock);
}

/* A connect to a UNIX socket completes at once or fails at once. Through the ring, a full accept queue would make a kernel thread retry it. */
static void connect_unix(struct uring *uring, struct io_sock *sock, const struct addr *addr)
{
    struct io_uring_sqe *sqe = uring_sqe_for(uring, sock, OP_CONNECT);

    sock->connect_error = connect(sock->fd, &addr->sa, addr->length) < 0 ? errno : 0;
    io_uring_prep_nop(sqe);
    uring_sqe_name(uring, sqe, sock, OP_CONNECT);
}

void uring_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    struct uring *uring = uring_of(io);
    struct io_uring_sqe *sqe;

    uring_set_options(uring, sock->fd, addr_family(addr), options);
    if (addr_family(addr) == AF_UNIX) {
        connect_unix(uring, sock, addr);
        return;
    }
    sqe = uring_sqe_for(uring, sock, OP_CONNECT);
    io_uring_prep_connect(sqe, sock->fd, &addr->sa, addr->length);
    uring_sqe_name(uring, sqe, sock, OP_CONNECT);
}

void uring_receive(struct io *io, struct io_sock *sock)
{
    struct uring *uring = uring_of(io);
    struct io_uring_sqe *sqe = uring_sqe_for(uring, sock, OP_RECEIVE);

    io_uring_prep_recv(sqe, sock->fd, NULL, 0, 0);
    if (uring->multishot) {
        sqe->ioprio |= IORING_RECV_MULTISHOT;
        sqe->file_index = sock->credit; /* the kernel's optlen: number of bytes after which it ends the receive */
    }
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    uring_sqe_name(uring, sqe, sock, OP_RECEIVE);
}

void uring_look_again(struct io *io)
{
    struct uring *uring = uring_of(io);

    for (uint32_t slot = 0; slot < uring->handles.count; slot++) {
        const struct io_sock *sock = uring->handles.entries[slot].sock;
        struct io_uring_sqe *sqe;

        if (!sock || sock->closing || !(sock->in_flight & 1u << OP_RECEIVE) || kernel_unread(sock) == 0)
            continue;
        sqe = uring_next_sqe(uring);
        io_uring_prep_cancel64(sqe, handles_key(&uring->handles, slot, OP_RECEIVE), 0);
        sqe->user_data = (uint64_t)OP_UNHEARD << 56;
    }
}

void uring_prepare_gathered(struct uring *uring, struct io_sock *sock)
{
    struct io_uring_sqe *sqe = uring_next_sqe(uring);

    io_uring_prep_send(sqe, sock->fd, sock->send_data, sock->send_bytes, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    uring_sqe_name(uring, sqe, sock, OP_GATHERED);
}

void uring_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    struct uring *uring = uring_of(io);
    struct io_uring_sqe *sqe;

    if (side == IO_OUT) {
        uring_wait_writable(uring, sock);
        return;
    }
    sqe = uring_sqe_for(uring, sock, OP_IN);
    io_uring_prep_poll_add(sqe, sock->fd, POLLIN | POLLRDHUP);
    uring_sqe_name(uring, sqe, sock, OP_IN);
}

ssize_t uring_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    ssize_t moved = kernel_splice_in(io, sock, pipe, bytes);

    /* The kernel reports the error of a reset once. A gathered send may have taken it, while its completion is still unread in the ring. What looks like FIN is
     * then not the end of the stream. */
    if (moved == 0 && sock->in_flight & 1u << OP_GATHERED && kernel_hung_up(sock))
        return -ECONNRESET;
    return moved;
}
