/* io/epoll.c: the engine for kernels and containers without io_uring. Worker thread; owns the epoll descriptor and the sockets' descriptors.
 *
 * Each socket is registered once, edge-triggered and for all events, so there is no epoll_ctl(2) for each request. An edge is therefore recorded in `ready`
 * until a call returns EAGAIN. A socket that is ready and has an operation in flight waits in the list `busy` for its next turn, which also serves sockets
 * fairly. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/closing.h"
#include "io/handles.h"
#include "io/kernel.h"

enum { EVENTS_MAX = 256 };

/* Bits of io_sock.in_flight: the operations that the caller waits for. */
enum { WANT_CONNECT = 1, WANT_SEND = 2, WANT_OUT = 4, WANT_RECEIVE = 8, WANT_IN = 16 };
/* Bits of io_sock.ready. MORE: a short read does not mean that the socket is empty, because FIN, an error or TCP's urgent mark follows, or because this is a
 * UNIX socket, where a read also ends at a message that carried descriptors. TCP: the socket is known not to be a UNIX socket. MARK: an urgent byte was
 * announced, and the socket has not been found empty since. */
enum { READY_IN = 1, READY_OUT = 2, READY_MORE = 4, READY_TCP = 8, READY_MARK = 16 };

struct epoll {
    struct io io; /* first */
    int fd;
    struct handles handles;
    struct list busy;   /* sockets to serve in the next dispatch */
    struct closing closing;
    int event_count;
    struct epoll_event events[EVENTS_MAX];
};

static struct epoll *epoll_of(struct io *io)
{
    return container_of(io, struct epoll, io);
}

static bool can_serve(const struct io_sock *sock)
{
    return (sock->ready & READY_OUT && sock->in_flight & (WANT_CONNECT | WANT_SEND | WANT_OUT)) ||
           (sock->ready & READY_IN && sock->in_flight & (WANT_RECEIVE | WANT_IN));
}

static void mark_busy(struct epoll *epoll, struct io_sock *sock)
{
    if (can_serve(sock) && list_empty(&sock->link))
        list_append(&epoll->busy, &sock->link);
}

static void want_event(struct epoll *epoll, struct io_sock *sock, uint8_t what)
{
    assert(!sock->closing && !(sock->in_flight & what));
    sock->in_flight |= what;
    mark_busy(epoll, sock);
}

static int epoll_open(struct io *io, struct io_sock *sock)
{
    struct epoll *epoll = epoll_of(io);
    int result = handles_add(&epoll->handles, sock);

    if (result == 0) {
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
            .data.u64 = handles_key(&epoll->handles, sock->slot, 0),
        };

        if (epoll_ctl(epoll->fd, EPOLL_CTL_ADD, sock->fd, &event) == 0)
            return 0;
        result = -errno;
        handles_remove(&epoll->handles, sock->slot);
    }
    kernel_close(sock);
    return result;
}

static void epoll_close(struct io *io, struct io_sock *sock)
{
    assert(!sock->closing);
    sock->closing = true;
    sock->in_flight = 0;
    list_remove(&sock->link);
    closing_add(&epoll_of(io)->closing, sock, io->now_ns);
}

static void epoll_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options)
{
    struct epoll *epoll = epoll_of(io);

    kernel_set_options_now(sock->fd, addr_family(addr), options);
    /* Ignore the events of the unconnected socket (HUP). `connected` gets the result of connect() from SO_ERROR or from connect_error. */
    sock->ready = 0;
    if (connect(sock->fd, &addr->sa, addr->length) == 0) {
        sock->ready = READY_OUT;
    } else if (errno != EINPROGRESS) {
        sock->connect_error = errno;
        sock->ready = READY_OUT;
    }
    want_event(epoll, sock, WANT_CONNECT);
}

static void epoll_receive(struct io *io, struct io_sock *sock)
{
    want_event(epoll_of(io), sock, WANT_RECEIVE);
}

static void epoll_poll(struct io *io, struct io_sock *sock, enum io_side side)
{
    want_event(epoll_of(io), sock, side == IO_IN ? WANT_IN : WANT_OUT);
}

static int epoll_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes)
{
    ssize_t sent;

    assert(!(sock->in_flight & WANT_SEND));
    sent = kernel_send(sock->fd, data, bytes);
    if (sent == (ssize_t)bytes)
        return IO_SENT;
    if (sent < 0)
        return (int)sent;
    sock->ready &= (uint8_t)~READY_OUT;
    sock->send_data = data + sent;
    sock->send_bytes = bytes - (uint32_t)sent;
    want_event(epoll_of(io), sock, WANT_SEND);
    return IO_PENDING;
}

/* Nothing to do: a complete send is reported at once, and an incomplete one waits for an edge. */
static void epoll_hurry(struct io *io)
{
    (void)io;
}

/* Nothing to do: serve_receive() leaves the socket ready in this case. */
static void epoll_look_again(struct io *io)
{
    (void)io;
}

static ssize_t epoll_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    ssize_t moved = kernel_splice_in(io, sock, pipe, bytes);

    /* Keep the edge if EAGAIN may not mean "socket empty": with bytes in the pipe, the pipe may be full; before TCP's urgent mark, only a receive can pass
     * it. */
    if (moved == -EAGAIN && pipe->bytes == 0 && !(sock->ready & READY_MARK))
        sock->ready &= (uint8_t)~READY_IN;
    return moved;
}

static ssize_t epoll_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    ssize_t moved = kernel_splice_out(io, sock, pipe);

    if (moved == -EAGAIN)
        sock->ready &= (uint8_t)~READY_OUT;
    return moved;
}

static int epoll_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    int fd = kernel_accept(io, listener, peer);

    if (fd == -EAGAIN)
        listener->ready &= (uint8_t)~READY_IN;
    return fd;
}

/* A short batch means that the socket is empty; the next datagram makes another edge. It may also mean that an error is left, which the next call reports. */
static int epoll_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count)
{
    int received = kernel_receive_datagrams(io, sock, batch, first, count);

    if (received == -EAGAIN || (received > 0 && (unsigned)received < count))
        sock->ready &= (uint8_t)~READY_IN;
    return received;
}

/* A client that comes after the check makes a new edge. */
static bool epoll_has_clients(struct io *io, struct io_sock *listener)
{
    bool found = kernel_has_clients(io, listener);

    if (!found)
        listener->ready &= (uint8_t)~READY_IN;
    return found;
}

/* A read empties an eventfd. This uses up the edge, and a later write makes another one. */
static void epoll_clear_event(struct io *io, struct io_sock *sock)
{
    kernel_clear_event(io, sock);
    sock->ready &= (uint8_t)~READY_IN;
}

static void serve_connect(struct io_sock *sock)
{
    int error = sock->connect_error;
    socklen_t length = sizeof(error);

    sock->in_flight &= (uint8_t)~WANT_CONNECT;
    if (!error && getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    if (error)
        sock->ready = 0;
    sock->events->connected(sock, error);
}

static void serve_send(struct io_sock *sock)
{
    ssize_t sent = kernel_send(sock->fd, sock->send_data, sock->send_bytes);

    if (sent >= 0 && sent < (ssize_t)sock->send_bytes) {
        sock->send_data += sent;
        sock->send_bytes -= (uint32_t)sent;
        sock->ready &= (uint8_t)~READY_OUT;
        return;
    }
    sock->in_flight &= (uint8_t)~WANT_SEND;
    sock->send_data = NULL;
    sock->events->sent(sock, sent < 0 ? (int)-sent : 0);
}

static void receive_rest(struct io_sock *sock, enum io_rest why, int error)
{
    sock->in_flight &= (uint8_t)~WANT_RECEIVE;
    sock->events->rest(sock, why, error);
}

static bool short_means_empty(struct io_sock *sock)
{
    if (!(sock->ready & (READY_MORE | READY_TCP))) {
        int domain = AF_UNIX;
        socklen_t length = sizeof(domain);

        (void)getsockopt(sock->fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
        sock->ready |= domain == AF_UNIX ? READY_MORE : READY_TCP;
    }
    return !(sock->ready & READY_MORE);
}

/* Reads until the credit is used up or the socket is empty. */
static void serve_receive(struct epoll *epoll, struct io_sock *sock)
{
    while (!sock->closing) {
        struct buffer *buffer = buffer_new(&epoll->io.buffers);
        ssize_t got;

        if (!buffer) { /* out of memory: the socket stays ready, so the next turn retries */
            mark_busy(epoll, sock);
            return;
        }
        do
            got = recv(sock->fd, buffer->data, BUFFER_BYTES, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            int error = got < 0 ? errno : 0;

            buffer_free(&epoll->io.buffers, buffer);
            if (error == EAGAIN && sock->ready & READY_MARK && kernel_unread(sock) > 0)
                return; /* a pending signal prevents the read at the mark: the socket stays ready, and the next turn retries */
            if (error == EAGAIN)
                sock->ready &= (uint8_t)~(READY_IN | READY_MARK);
            else
                receive_rest(sock, got == 0 ? IO_REST_EOF : IO_REST_ERROR, error);
            return;
        }
        buffer->end = (uint32_t)got;
        sock->credit -= sock->credit < (uint32_t)got ? sock->credit : (uint32_t)got;
        if (got < BUFFER_BYTES && short_means_empty(sock))
            sock->ready &= (uint8_t)~READY_IN;
        if (!sock->events->received(sock, buffer))
            buffer_free(&epoll->io.buffers, buffer);
        if (sock->closing)
            return;
        if (sock->credit == 0) {
            receive_rest(sock, IO_REST_CREDIT, 0);
            return;
        }
        if (!(sock->ready & READY_IN))
            return;
    }
}

static bool serve_due(const struct io_sock *sock, uint8_t ready, uint8_t what)
{
    return !sock->closing && sock->ready & ready && sock->in_flight & what;
}

static void serve_sock(struct epoll *epoll, struct io_sock *sock)
{
    if (serve_due(sock, READY_OUT, WANT_CONNECT))
        serve_connect(sock);
    if (serve_due(sock, READY_OUT, WANT_SEND))
        serve_send(sock);
    if (serve_due(sock, READY_OUT, WANT_OUT)) {
        sock->in_flight &= (uint8_t)~WANT_OUT;
        sock->events->writable(sock);
    }
    if (serve_due(sock, READY_IN, WANT_RECEIVE))
        serve_receive(epoll, sock);
    if (serve_due(sock, READY_IN, WANT_IN)) {
        sock->in_flight &= (uint8_t)~WANT_IN;
        sock->events->readable(sock);
    }
}

/* Busy-polls until there is an event or the time is over. */
static int busy_poll(struct epoll *epoll, uint64_t began_ns)
{
    uint64_t until_ns = began_ns + (uint64_t)epoll->io.waiting.busy_poll_us * 1000;
    int count;

    do
        count = epoll_wait(epoll->fd, epoll->events, EVENTS_MAX, 0);
    while (count == 0 && clock_now_ns() < until_ns);
    epoll->io.polled_ns = clock_now_ns() - began_ns;
    return count;
}

static int poll_or_sleep(struct epoll *epoll, uint64_t began_ns, int timeout)
{
    const struct io_waiting *waiting = &epoll->io.waiting;
    int count = 0;

    if (timeout != 0 && waiting->batch_us > 0)
        kernel_sleep(waiting->batch_us);
    else if (timeout != 0 && waiting->busy_poll_us > 0)
        count = busy_poll(epoll, began_ns);
    return count ? count : epoll_wait(epoll->fd, epoll->events, EVENTS_MAX, timeout);
}

static int epoll_wait_events(struct io *io, int64_t timeout_ms)
{
    struct epoll *epoll = epoll_of(io);
    int timeout = timeout_ms < 0 ? -1 : timeout_ms > 3600000 ? 3600000 : (int)timeout_ms;
    uint64_t began_ns = clock_now_ns();
    int count;

    if (!list_empty(&epoll->busy) || closing_any(&epoll->closing))
        timeout = 0;
    io->polled_ns = 0;
    count = poll_or_sleep(epoll, began_ns, timeout);
    epoll->event_count = count > 0 ? count : 0;
    io->now_ns = clock_now_ns();
    io->sent_ns = io->now_ns;
    io->waited_ns = io->now_ns - began_ns;
    io->events = (uint32_t)epoll->event_count;
    return count < 0 && errno != EINTR ? -errno : 0;
}

static void epoll_dispatch(struct io *io)
{
    struct epoll *epoll = epoll_of(io);
    struct list todo;

    closing_before(&epoll->closing, &epoll->handles, io);
    for (int i = 0; i < epoll->event_count; i++) {
        const struct epoll_event *event = &epoll->events[i];
        struct io_sock *sock = handles_find(&epoll->handles, event->data.u64);

        if (!sock || sock->closing)
            continue;
        if (event->events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            sock->ready |= READY_IN;
        if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            sock->ready |= READY_OUT;
        if (event->events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            sock->ready |= READY_MORE;
        if (event->events & EPOLLPRI)
            sock->ready |= READY_MARK;
        mark_busy(epoll, sock);
    }
    epoll->event_count = 0;

    /* Sockets that become busy while these are served wait for the next turn. */
    list_take(&todo, &epoll->busy);
    while (!list_empty(&todo)) {
        struct io_sock *sock = container_of(todo.next, struct io_sock, link);

        list_remove(&sock->link);
        serve_sock(epoll, sock);
        if (!sock->closing)
            mark_busy(epoll, sock);
    }
    closing_after(&epoll->closing, &epoll->handles, io);
}

static void epoll_free(struct io *io)
{
    struct epoll *epoll = epoll_of(io);

    assert(epoll->handles.used == 0);
    handles_deinit(&epoll->handles);
    buffer_pool_deinit(&io->buffers);
    (void)close(epoll->fd);
    free(epoll);
}

static const struct io_ops epoll_ops = {
    .name = "epoll",
    .free = epoll_free,
    .wait = epoll_wait_events,
    .dispatch = epoll_dispatch,
    .open = epoll_open,
    .close = epoll_close,
    .connect = epoll_connect,
    .receive = epoll_receive,
    .send = epoll_send,
    .hurry = epoll_hurry,
    .poll = epoll_poll,
    .socket = kernel_socket,
    .accept = epoll_accept,
    .has_clients = epoll_has_clients,
    .arrived_ns = kernel_arrived_ns,
    .listen_again = kernel_listen_again,
    .is_shut = kernel_is_shut,
    .stop_queueing = kernel_stop_queueing,
    .set_congestion = kernel_set_congestion,
    .discard = kernel_discard,
    .connect_datagram = kernel_connect_datagram,
    .receive_datagrams = epoll_receive_datagrams,
    .send_datagrams = kernel_send_datagrams,
    .splice_in = epoll_splice_in,
    .splice_out = epoll_splice_out,
    .shutdown = kernel_shutdown,
    .undelivered = kernel_undelivered,
    .broken = kernel_broken,
    .met_itself = kernel_met_itself,
    .tcp_info = kernel_tcp_info,
    .lacks_address = kernel_lacks_address,
    .look_again = epoll_look_again,
    .clear_event = epoll_clear_event,
    .trimmable = kernel_trimmable,
    .trim = kernel_trim,
    .pipe_open = kernel_pipe_open,
    .pipe_close = kernel_pipe_close,
};

struct io *epoll_new(const struct io_options *options, int *error)
{
    struct epoll *epoll = calloc(1, sizeof(*epoll));

    if (!epoll) {
        *error = -ENOMEM;
        return NULL;
    }
    epoll->io.ops = &epoll_ops;
    epoll->io.now_ns = clock_now_ns();
    handles_init(&epoll->handles, options->sockets_max);
    list_init(&epoll->busy);
    buffer_pool_init(&epoll->io.buffers);
    closing_init(&epoll->closing);
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->fd < 0) {
        *error = -errno;
        free(epoll);
        return NULL;
    }
    return &epoll->io;
}
