/* io/uring.c: the io_uring engine: start, end, and handling of completions. Worker thread; owns the ring and the sockets' descriptors. */
#include "io/uring.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/kernel.h"

/* Entries of the completion queue for each entry of the submission queue. Further completions wait in the kernel until there is space: this costs time, but
 * loses none. */
enum { CQ_SHARE = 8 };

/* Linux 6.12; not in liburing 2.3. */
enum { FEAT_MIN_TIMEOUT = 1u << 15 };

/* ---- completions ---- */

static void receive_ended(struct uring *uring, struct io_sock *sock, int result)
{
    switch (result) {
    case 0:
        sock->events->rest(sock, IO_REST_EOF, 0);
        break;
    case -ENOBUFS:
        list_append(&uring->starving, &sock->link);
        break;
    case -EINTR:
    case -EAGAIN:
    case -ECANCELED: /* uring_look_again() */
        uring_receive(&uring->io, sock);
        break;
    default:
        sock->events->rest(sock, IO_REST_ERROR, -result);
    }
}

static void completed_receive(struct uring *uring, struct io_sock *sock, const struct io_uring_cqe *cqe)
{
    bool more = cqe->flags & IORING_CQE_F_MORE, kept = false;

    if (!more)
        sock->in_flight &= (uint8_t) ~(1u << OP_RECEIVE);
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        unsigned short place;
        struct buffer *buffer = uring_buffers_take(uring, cqe, &place);

        if (cqe->res > 0 && !sock->closing) {
            buffer->end = (uint32_t)cqe->res;
            sock->credit -= sock->credit < buffer->end ? sock->credit : buffer->end;
            kept = sock->events->received(sock, buffer);
        }
        if (kept)
            uring_buffers_publish_new(uring, place);
        else
            uring_buffers_publish(uring, buffer, place);
    }
    if (more || sock->closing)
        return;
    if (cqe->res <= 0)
        receive_ended(uring, sock, cqe->res);
    else if (sock->credit == 0)
        sock->events->rest(sock, IO_REST_CREDIT, 0);
    else
        uring_receive(&uring->io, sock); /* there is one receive at a time, or the kernel ended a multishot receive early */
}

void uring_sent(struct io_sock *sock, int error)
{
    sock->send_data = NULL;
    sock->events->sent(sock, error);
}

static void completed_other(struct uring *uring, struct io_sock *sock, int operation, int result)
{
    switch (operation) {
    case OP_CONNECT:
        sock->events->connected(sock, result < 0 ? -result : sock->connect_error);
        break;
    case OP_IN:
        sock->events->readable(sock);
        break;
    case OP_OUT:
        uring_writable(uring, sock, result);
        break;
    case OP_WRITABLE:
        uring_writable(uring, sock, POLLOUT);
        break;
    default:
        assert(!"no such operation");
    }
}

void uring_closing_progress(struct uring *uring, struct io_sock *sock)
{
    if (!sock->in_flight && list_empty(&sock->link))
        closing_add(&uring->closing, sock, uring->io.now_ns);
}

static void handle_completion(struct uring *uring, const struct io_uring_cqe *cqe)
{
    int operation = (int)(cqe->user_data >> 56);
    struct io_sock *sock = handles_find(&uring->handles, cqe->user_data);

    if (operation == OP_UNHEARD)
        return;
    if (operation == OP_GATHERED && !(sock && sock->in_flight & 1u << OP_GATHERED)) { /* counted as done, because no completion had come */
        uring->failed = -EPROTO;
        return;
    }
    /* A handle remains valid while anything is in flight for it, so every completion finds its socket. */
    assert(sock && sock->in_flight & 1u << operation);
    if (operation == OP_RECEIVE) {
        completed_receive(uring, sock, cqe);
    } else if (operation == OP_GATHERED) {
        uring_sending_failed(uring, sock, cqe->res);
    } else {
        if (!(cqe->flags & IORING_CQE_F_MORE))
            sock->in_flight &= (uint8_t) ~(1u << operation);
        if (!sock->closing)
            completed_other(uring, sock, operation, cqe->res);
    }
    if (!sock->closing)
        return;
    uring_closing_progress(uring, sock);
    if (operation == OP_CANCEL)
        uring_cancel_ended(uring, sock, cqe->res);
    else
        uring_cancel(uring, sock);
}

/* Handles the completions that are in the queue now. Each is removed from the queue before it is handled: handling may submit a full submission queue, and some
 * kernels refuse that while completions have no space. */
static void reap_completions(struct uring *uring)
{
    struct io_uring_cqe *cqe;

    for (unsigned left = io_uring_cq_ready(&uring->ring); left > 0 && io_uring_peek_cqe(&uring->ring, &cqe) == 0; left--) {
        struct io_uring_cqe taken = *cqe;

        io_uring_cqe_seen(&uring->ring, cqe);
        handle_completion(uring, &taken);
        uring_sending_full(uring);
    }
}

static void rearm_starving(struct uring *uring)
{
    struct list todo;

    if (list_empty(&uring->starving) || !uring_buffers_publish_missing(uring))
        return;
    list_take(&todo, &uring->starving);
    while (!list_empty(&todo)) {
        struct io_sock *sock = container_of(todo.next, struct io_sock, link);

        list_remove(&sock->link);
        uring_receive(&uring->io, sock);
    }
}

static void uring_dispatch(struct io *io)
{
    struct uring *uring = uring_of(io);

    closing_before(&uring->closing, &uring->handles, io);
    uring_buffers_withdraw(uring);
    reap_completions(uring);
    uring_buffers_renew(uring);
    uring_sending_settle(uring);
    rearm_starving(uring);
    closing_after(&uring->closing, &uring->handles, io);
}

static void uring_hurry(struct io *io)
{
    uring_of(io)->hurried = true;
}

static void uring_free(struct io *io)
{
    struct uring *uring = uring_of(io);

    assert(uring->handles.used == 0);
    io_uring_queue_exit(&uring->ring);
    uring_buffers_deinit(uring);
    buffer_pool_deinit(&io->buffers);
    handles_deinit(&uring->handles);
    free(uring);
}

static const struct io_ops uring_ops = {
    .name = "io_uring",
    .free = uring_free,
    .wait = uring_wait,
    .dispatch = uring_dispatch,
    .open = uring_open,
    .close = uring_close,
    .connect = uring_connect,
    .receive = uring_receive,
    .send = uring_send,
    .hurry = uring_hurry,
    .poll = uring_poll,
    .socket = kernel_socket,
    .accept = kernel_accept,
    .has_clients = kernel_has_clients,
    .arrived_ns = kernel_arrived_ns,
    .listen_again = kernel_listen_again,
    .is_shut = kernel_is_shut,
    .stop_queueing = kernel_stop_queueing,
    .set_congestion = kernel_set_congestion,
    .discard = kernel_discard,
    .connect_datagram = kernel_connect_datagram,
    .receive_datagrams = kernel_receive_datagrams,
    .send_datagrams = kernel_send_datagrams,
    .splice_in = uring_splice_in,
    .splice_out = kernel_splice_out,
    .shutdown = kernel_shutdown,
    .undelivered = kernel_undelivered,
    .broken = kernel_broken,
    .met_itself = kernel_met_itself,
    .tcp_info = kernel_tcp_info,
    .lacks_address = kernel_lacks_address,
    .look_again = uring_look_again,
    .clear_event = kernel_clear_event,
    .trimmable = uring_trimmable,
    .trim = uring_trim,
    .pipe_open = kernel_pipe_open,
    .pipe_close = kernel_pipe_close,
};

struct io *uring_new(const struct io_choice *choice, const struct io_options *options, int *error)
{
    unsigned entries = options->ring_entries ? options->ring_entries : URING_SQ_ENTRIES;
    struct io_uring_params params = {.flags = choice->setup, .cq_entries = entries * CQ_SHARE};
    struct uring *uring = calloc(1, sizeof(*uring));

    if (!uring) {
        *error = -ENOMEM;
        return NULL;
    }
    uring->io.ops = &uring_ops;
    uring->io.now_ns = clock_now_ns();
    uring->multishot = choice->multishot;
    uring->gathers = choice->gathers;
    if (options->busy_polls && params.flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN))
        params.flags |= IORING_SETUP_TASKRUN_FLAG;
    handles_init(&uring->handles, options->sockets_max);
    list_init(&uring->starving);
    buffer_pool_init(&uring->io.buffers);
    closing_init(&uring->closing);
    *error = io_uring_queue_init_params(entries, &uring->ring, &params);
    if (*error < 0) {
        free(uring);
        return NULL;
    }
    uring->min_wait = params.features & FEAT_MIN_TIMEOUT;
    (void)io_uring_ring_dontfork(&uring->ring);
    uring->registered = io_uring_register_ring_fd(&uring->ring) == 1; /* only an optimisation; old kernels refuse it */
    uring->sets_options = uring_options_self_test(uring);
    *error = uring_buffers_init(uring);
    if (*error < 0) {
        uring_free(&uring->io);
        return NULL;
    }
    return &uring->io;
}
