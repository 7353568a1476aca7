/* io/kernel_listen.c: direct system calls on listening sockets, shared by the engines. Worker thread; owns nothing. */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "io/kernel.h"

enum { HOPS_ANY = 0, HOPS_MAX = 255 };

/* The least TTL (hop limit) that a segment must have on arrival to be taken. */
static int set_min_hops(int fd, int family, int hops)
{
    bool ipv4 = family == AF_INET;

    return setsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MINTTL : IPV6_MINHOPCOUNT, &hops, sizeof(hops)) < 0 ? -errno : 0;
}

int kernel_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    static const int on = 1;

    (void)io;
    for (;;) {
        socklen_t length = sizeof(peer->un);
        int fd;

        peer->length = 0;
        fd = accept4(listener->fd, &peer->sa, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            peer->length = length < sizeof(peer->un) ? length : (socklen_t)sizeof(peer->un);
            if (peer->sa.sa_family == AF_UNIX) /* a UNIX socket inherits nothing from its listener */
                (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
            if (listener->min_hops)
                (void)set_min_hops(fd, peer->sa.sa_family, HOPS_ANY);
            return fd;
        }
        if (errno != EINTR)
            return -errno;
    }
}

bool kernel_has_clients(struct io *io, struct io_sock *listener)
{
    struct pollfd pollfd = {.fd = listener->fd, .events = POLLIN};

    (void)io;
    return poll(&pollfd, 1, 0) != 0;
}

/* TCP counts `tcpi_last_data_sent` from the end of the handshake while nothing has been sent, even when the client sends data (the kernel's
 * tcp_create_openreq_child() and tcp_rcv_state_process() set `lsndtime`). It counts up to this call, so the clock is read here: io->now_ns is older, by far if
 * the thread had to wait for a CPU. */
uint64_t kernel_arrived_ns(struct io *io, int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    (void)io;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return 0;
    return clock_now_ns() - (uint64_t)info.tcpi_last_data_sent * 1000000;
}

bool kernel_is_shut(struct io *io, struct io_sock *listener)
{
    struct pollfd pollfd = {.fd = listener->fd, .events = POLLRDHUP};

    (void)io;
    return poll(&pollfd, 1, 0) > 0 && pollfd.revents & POLLRDHUP;
}

int kernel_listen_again(struct io *io, struct io_sock *listener, int backlog)
{
    if (listen(listener->fd, backlog) < 0)
        return -errno;
    return kernel_is_shut(io, listener) ? -ESHUTDOWN : 0;
}

/* Attaches a filter that drops segments with SYN and without ACK. The filter sees a segment from its TCP header on, whose byte 13 has the flags. It applies
 * only to segments for the listening socket and for handshakes that have begun on it. */
static int drop_new_handshakes(int fd)
{
    enum { FLAGS_BYTE = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_BYTE),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

bool kernel_stop_queueing(struct io *io, struct io_sock *listener)
{
    int domain = AF_UNIX;
    socklen_t length = sizeof(domain);

    (void)io;
    if (getsockopt(listener->fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain == AF_UNIX)
        return shutdown(listener->fd, SHUT_RD) == 0; /* connect(2) now fails, and accept(2) still returns the clients in the queue */
    if (drop_new_handshakes(listener->fd) == 0)
        return true;
    /* Only a segment that was sent with a TTL of 255 and passed no router is taken then, and few systems send such. This is the second choice, because sockets
     * whose handshake ends later inherit it: what those clients send is dropped until they are accepted, and their kernel must send it again. */
    listener->min_hops = set_min_hops(listener->fd, domain, HOPS_MAX) == 0;
    return listener->min_hops;
}
