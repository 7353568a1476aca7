/* io/kernel.c: direct system calls shared by the engines. Worker thread; owns nothing.
 *
 * shutdown(2) and splice(2) are called here and not through the ring, because io_uring hands both to a kernel worker thread without trying them first. */
#include "io/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/local_address.h"

/* Ignores failures: a refused option does not justify failing the connection. */
static void set_int(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_text(int fd, int level, int option, const char *text)
{
    (void)setsockopt(fd, level, option, text, (socklen_t)strlen(text));
}

void kernel_set_options(const struct kernel_setter *setter, int fd, int family, const struct io_socket_options *options)
{
    if (options->receive_buffer_bytes)
        setter->set(setter, fd, SOL_SOCKET, SO_RCVBUF, (int)options->receive_buffer_bytes);
    if (options->send_buffer_bytes)
        setter->set(setter, fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer_bytes);
    setter->set(setter, fd, SOL_SOCKET, SO_OOBINLINE, 1); /* treat an urgent byte as normal data */
    if (family == AF_UNIX)
        return;
    setter->set(setter, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->congestion)
        setter->set_text(setter, fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion);
    if (options->tcp_user_timeout_ms)
        setter->set(setter, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)options->tcp_user_timeout_ms);
    if (options->keepalive_ms) {
        setter->set(setter, fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)(options->keepalive_ms / 1000));
        setter->set(setter, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
}

static void set_at_once(const struct kernel_setter *setter, int fd, int level, int option, int value)
{
    (void)setter;
    set_int(fd, level, option, value);
}

static void set_text_at_once(const struct kernel_setter *setter, int fd, int level, int option, const char *text)
{
    (void)setter;
    set_text(fd, level, option, text);
}

void kernel_set_options_now(int fd, int family, const struct io_socket_options *options)
{
    static const struct kernel_setter at_once = {.set = set_at_once, .set_text = set_text_at_once};

    kernel_set_options(&at_once, fd, family, options);
}

int kernel_socket(struct io *io, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)io;
    return fd < 0 ? -errno : fd;
}

void kernel_set_congestion(struct io *io, int fd, const char *name)
{
    (void)io;
    set_text(fd, IPPROTO_TCP, TCP_CONGESTION, name);
}

static void set_reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void kernel_discard(struct io *io, int fd)
{
    (void)io;
    set_reset_on_close(fd);
    (void)close(fd);
}

void kernel_close(struct io_sock *sock)
{
    if (sock->reset)
        set_reset_on_close(sock->fd);
    (void)close(sock->fd);
    sock->fd = -1;
}

ssize_t kernel_send(int fd, const uint8_t *data, uint32_t bytes)
{
    for (;;) {
        ssize_t sent = send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0)
            return sent;
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
            return 0;
        default:
            return -errno;
        }
    }
}

/* A spliced socket must be O_NONBLOCK: the kernel checks the file's flag, and SPLICE_F_NONBLOCK applies only to the pipe. All our sockets are. */
static ssize_t splice_retry(int from, int to, size_t bytes)
{
    for (;;) {
        ssize_t moved = splice(from, NULL, to, NULL, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (moved >= 0)
            return moved;
        if (errno != EINTR)
            return -errno;
    }
}

ssize_t kernel_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes)
{
    ssize_t moved = splice_retry(sock->fd, pipe->fds[1], bytes);

    (void)io;
    if (moved > 0)
        pipe->bytes += (uint32_t)moved;
    return moved;
}

ssize_t kernel_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe)
{
    ssize_t moved = splice_retry(pipe->fds[0], sock->fd, pipe->bytes);

    (void)io;
    if (moved > 0)
        pipe->bytes -= (uint32_t)moved;
    return moved;
}

int kernel_shutdown(struct io *io, struct io_sock *sock)
{
    (void)io;
    return shutdown(sock->fd, SHUT_WR) < 0 ? -errno : 0;
}

/* Whether the TCP state, the first byte of TCP_INFO, is CLOSE. POLLHUP is not enough: it is also set when both sides have sent FIN and bytes are still in
 * flight. */
static bool tcp_closed(int fd)
{
    uint8_t tcp_state = 0;
    socklen_t length = sizeof(tcp_state);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp_state, &length) == 0 && tcp_state == TCP_CLOSE;
}

/* After a reset, SIOCOUTQ keeps its last value, so the state is checked too. */
uint32_t kernel_undelivered(struct io *io, struct io_sock *sock)
{
    int left = 0;

    (void)io;
    if (ioctl(sock->fd, SIOCOUTQ, &left) < 0 || left == 0 || tcp_closed(sock->fd))
        return 0;
    return (uint32_t)left;
}

uint32_t kernel_unread(const struct io_sock *sock)
{
    int bytes = 0;

    return ioctl(sock->fd, SIOCINQ, &bytes) < 0 || bytes < 0 ? 0 : (uint32_t)bytes;
}

int kernel_broken(struct io *io, struct io_sock *sock)
{
    struct pollfd pollfd = {.fd = sock->fd};
    int error = 0;
    socklen_t length = sizeof(error);

    (void)io;
    if (poll(&pollfd, 1, 0) <= 0 || !(pollfd.revents & POLLERR))
        return 0;
    return getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

bool kernel_hung_up(const struct io_sock *sock)
{
    struct pollfd pollfd = {.fd = sock->fd};

    return poll(&pollfd, 1, 0) > 0 && pollfd.revents & POLLHUP;
}

void kernel_sleep(uint32_t us)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

bool kernel_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer)
{
    struct addr own = {.length = sizeof(own.un)}, met = {.length = sizeof(met.un)};

    (void)io;
    if (getsockname(sock->fd, &own.sa, &own.length) < 0 || addr_port(&own) != addr_port(peer)) /* the common case */
        return false;
    return getpeername(sock->fd, &met.sa, &met.length) == 0 && addr_equal(&own, &met); /* not `peer`: a connection to 0.0.0.0 has the peer 127.0.0.1 */
}

bool kernel_tcp_info(struct io *io, struct io_sock *sock, struct io_tcp_info *info)
{
    struct tcp_info kernel;
    socklen_t length = sizeof(kernel);

    (void)io;
    if (sock->fd < 0 || getsockopt(sock->fd, IPPROTO_TCP, TCP_INFO, &kernel, &length) < 0)
        return false;
    *info = (struct io_tcp_info){.rtt_us = kernel.tcpi_rtt, .retransmits = kernel.tcpi_total_retrans};
    return true;
}

bool kernel_lacks_address(struct io *io, const struct addr *to)
{
    (void)io;
    return local_address_is_missing(to);
}

void kernel_clear_event(struct io *io, struct io_sock *sock)
{
    uint64_t count;

    (void)io;
    while (read(sock->fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

bool kernel_trimmable(struct io *io)
{
    return slab_trimmable(&io->buffers.slab);
}

void kernel_trim(struct io *io)
{
    slab_trim(&io->buffers.slab);
}

int kernel_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    int fds[2], capacity;

    (void)io;
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    /* Above pipe-user-pages-soft, an unprivileged user gets smaller pipes and this call fails, so read the real size back. */
    (void)fcntl(fds[1], F_SETPIPE_SZ, (int)bytes);
    capacity = fcntl(fds[1], F_GETPIPE_SZ);
    *pipe = (struct io_pipe){.fds = {fds[0], fds[1]}, .capacity = capacity > 0 ? (uint32_t)capacity : 0};
    return 0;
}

void kernel_pipe_close(struct io *io, struct io_pipe *pipe)
{
    (void)io;
    if (pipe->fds[0] < 0)
        return;
    (void)close(pipe->fds[0]);
    (void)close(pipe->fds[1]);
    *pipe = (struct io_pipe){.fds = {-1, -1}};
}
