/* test/sim/engine_udp.c: the simulated engine's calls on UDP sockets, and the system calls that they make. Test thread; owns nothing.
 *
 * Datagrams are received and sent by the same functions as in the real engines (io/kernel_datagram.c), including the one that sends a refused train datagram by
 * datagram. The linker replaces the system calls that these functions make by those below (--wrap in the Makefile). */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine.h"
#include "io/kernel.h"

enum { OVER_IPV4 = 65507, OVER_IPV6 = 65527, HEADERS_BYTES = 48, SEGMENTS_MAX = 64 };

int sim_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout) __asm__("__wrap_recvmmsg");
int sim_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags) __asm__("__wrap_sendmmsg");
ssize_t sim_sendmsg(int fd, const struct msghdr *header, int flags) __asm__("__wrap_sendmsg");

/* The socket whose call is being executed. NULL: none. */
static struct sim_conn *calling;

static struct sim_conn *find_calling(int fd, int flags)
{
    if (!calling || sim_conn_fd(calling) != fd || !(flags & MSG_DONTWAIT))
        abort();
    return calling;
}

static int fail_with(int error)
{
    errno = error;
    return -1;
}

static int take_error(struct sim_udp *udp)
{
    int error = udp->error;

    udp->error = 0;
    return error;
}

/* ---- receiving ---- */

static void add_control(struct msghdr *header, size_t room, int level, int type, const void *value, size_t bytes)
{
    struct cmsghdr *control = (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);

    if (header->msg_controllen + CMSG_SPACE(bytes) > room) {
        header->msg_flags |= MSG_CTRUNC;
        return;
    }
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(control), value, bytes);
    header->msg_controllen += CMSG_SPACE(bytes);
}

static void write_control(struct sim_conn *conn, struct msghdr *header, const struct sim_train *train)
{
    size_t room = header->msg_controllen;
    int unit_bytes = (int)train->unit_bytes;

    header->msg_controllen = 0;
    if (sim_udp_is_bound(conn) && addr_is_wildcard(&conn->udp->addr) && train->to.family == AF_INET) {
        struct in_pktinfo info = {.ipi_ifindex = SIM_INTERFACE, .ipi_spec_dst = train->to.in, .ipi_addr = train->to.in};

        if (train->to_group)
            info.ipi_addr.s_addr = INADDR_BROADCAST;
        add_control(header, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else if (sim_udp_is_bound(conn) && addr_is_wildcard(&conn->udp->addr)) {
        struct in6_pktinfo info = {.ipi6_addr = train->to.in6, .ipi6_ifindex = SIM_INTERFACE};

        if (train->to_group)
            info.ipi6_addr = (struct in6_addr){.s6_addr = {0xff, 0x02, [15] = 1}};
        add_control(header, room, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (train->count > 1 || (train->unit_bytes > 0 && sim_chance(conn->sim, 100)))
        add_control(header, room, SOL_UDP, UDP_GRO, &unit_bytes, sizeof(unit_bytes));
}

static void write_train(struct sim_conn *conn, struct mmsghdr *out, const struct sim_train *train)
{
    struct msghdr *header = &out->msg_hdr;
    uint8_t *data = header->msg_iov->iov_base;
    socklen_t length = train->from.sa.sa_family == AF_INET ? sizeof(train->from.in) : sizeof(train->from.in6);

    header->msg_flags = train->cut ? MSG_TRUNC : 0;
    out->msg_len = 0;
    for (uint32_t i = 0; i < train->count; i++) {
        uint32_t bytes = sim_train_unit_bytes(train, i);

        if (out->msg_len + bytes > header->msg_iov->iov_len)
            sim_fail(conn->sim, "a receive buffer that is too small for a train");
        memcpy(data + out->msg_len, sim_udp_bytes(train->first + i), bytes);
        out->msg_len += bytes;
    }
    memcpy(header->msg_name, &train->from, length);
    header->msg_namelen = length;
    write_control(conn, header, train);
}

int sim_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout)
{
    struct sim_conn *conn = find_calling(fd, flags);
    struct sim_udp *udp = conn->udp;
    const struct sim_chances *chances = &conn->sim->options.chances;
    unsigned received = 0;

    (void)timeout;
    if (udp->error)
        return fail_with(take_error(udp));
    if (sim_chance(conn->sim, chances->interrupted))
        return fail_with(EINTR);
    if (list_empty(&udp->queue) || sim_chance(conn->sim, chances->again))
        return fail_with(EAGAIN);
    while (received < count && !list_empty(&udp->queue)) {
        struct sim_train *train = container_of(udp->queue.next, struct sim_train, link);

        list_remove(&train->link);
        udp->queued_bytes -= sim_train_bytes(train) + 256;
        write_train(conn, &headers[received++], train);
        sim_note(conn->sim, conn, "received datagrams", train->first);
        conn->sim->options.hooks->udp->received(conn, train);
        free(train);
        if (sim_chance(conn->sim, chances->short_read / 4)) /* interrupted by a signal */
            break;
    }
    return (int)received;
}

int engine_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);
    const struct sim_udp_hooks *hooks = conn->sim->options.hooks->udp;
    int result;

    hooks->receiving(conn);
    calling = conn;
    result = kernel_receive_datagrams(io, sock, batch, first, count);
    calling = NULL;
    if (result < 0)
        hooks->receive_failed(conn, result);
    return result;
}

/* ---- sending ---- */

/* What the caller of sendmsg(2) has given: the payload in one piece, and the control messages. */
struct given {
    uint8_t data[2 * IO_DATAGRAM_BYTES];
    uint32_t bytes;
    uint16_t segment_bytes;
    struct io_local from;
};

static void read_controls(const struct msghdr *header, struct given *given)
{
    struct msghdr copy = *header;
    struct in6_pktinfo info6;
    struct in_pktinfo info;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(&copy); control; control = CMSG_NXTHDR(&copy, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_SEGMENT) {
            memcpy(&given->segment_bytes, CMSG_DATA(control), sizeof(given->segment_bytes));
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            memcpy(&info, CMSG_DATA(control), sizeof(info));
            given->from = (struct io_local){.family = AF_INET, .interface = (uint32_t)info.ipi_ifindex, .in = info.ipi_spec_dst};
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            memcpy(&info6, CMSG_DATA(control), sizeof(info6));
            given->from = (struct io_local){.family = AF_INET6, .interface = info6.ipi6_ifindex, .in6 = info6.ipi6_addr};
        }
    }
}

static void read_given(struct sim *sim, const struct msghdr *header, struct given *given)
{
    given->bytes = 0;
    given->segment_bytes = 0;
    given->from = (struct io_local){.family = AF_UNSPEC};
    for (size_t i = 0; i < header->msg_iovlen; i++) {
        if (given->bytes + header->msg_iov[i].iov_len > sizeof(given->data))
            sim_fail(sim, "a message that is larger than any datagram");
        memcpy(given->data + given->bytes, header->msg_iov[i].iov_base, header->msg_iov[i].iov_len);
        given->bytes += (uint32_t)header->msg_iov[i].iov_len;
    }
    read_controls(header, given);
}

/* Returns the error with which the kernel refuses to send this; 0: none. */
static int find_refusal(struct sim_conn *conn, const struct given *given)
{
    struct sim *sim = conn->sim;
    const struct sim_chances *chances = &sim->options.chances;
    uint32_t most = addr_family(&conn->udp->addr) == AF_INET ? OVER_IPV4 : OVER_IPV6;
    bool is_train = given->segment_bytes && given->bytes > given->segment_bytes;

    if (sim_chance(sim, chances->interrupted))
        return EINTR;
    if (given->bytes > most)
        return EMSGSIZE;
    if (is_train && (uint32_t)given->segment_bytes + HEADERS_BYTES > sim->options.mtu)
        return sim_chance(sim, 500) ? EINVAL : EMSGSIZE;
    if (is_train && given->bytes > given->segment_bytes * SEGMENTS_MAX)
        sim_fail(sim, "a train of too many datagrams");
    if (is_train && sim->options.no_trains && conn->udp->is_connected)
        return EIO;
    if (conn->udp->error)
        return take_error(conn->udp);
    if (sim_chance(sim, chances->no_room))
        return sim_chance(sim, 800) ? EAGAIN : ENOBUFS;
    if (!is_train && given->bytes + HEADERS_BYTES > sim->options.mtu && sim_chance(sim, chances->not_sent))
        return EMSGSIZE;
    if (sim_chance(sim, chances->not_sent / 8))
        return sim_chance(sim, 500) ? EPERM : ENETUNREACH;
    return 0;
}

static ssize_t send_given(struct sim_conn *conn, const struct msghdr *header)
{
    static struct given given;
    uint32_t unit_bytes;
    int error;

    read_given(conn->sim, header, &given);
    error = find_refusal(conn, &given);
    sim_note(conn->sim, conn, error ? "send refused" : "sent", error ? error : (int64_t)given.bytes);
    if (error)
        conn->sim->options.hooks->udp->send_failed(conn, error);
    if (error)
        return fail_with(error);
    unit_bytes = given.segment_bytes ? given.segment_bytes : given.bytes;
    for (uint32_t at = 0, left = given.bytes; at == 0 || left > 0;) {
        struct sim_message message = {
            .data = given.data + at, .bytes = left < unit_bytes ? left : unit_bytes, .to = header->msg_name, .from = given.from};

        conn->sim->options.hooks->udp->taken(conn, &message);
        at += message.bytes;
        left -= message.bytes;
        if (message.bytes == 0)
            break;
    }
    return (ssize_t)given.bytes;
}

ssize_t sim_sendmsg(int fd, const struct msghdr *header, int flags)
{
    return send_given(find_calling(fd, flags), header);
}

int sim_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    struct sim_conn *conn = find_calling(fd, flags);
    unsigned sent = 0;

    while (sent < count) {
        ssize_t bytes = send_given(conn, &headers[sent].msg_hdr);

        if (bytes < 0)
            break;
        headers[sent++].msg_len = (unsigned)bytes;
    }
    return sent > 0 ? (int)sent : -1;
}

void engine_send_datagrams(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);

    conn->sim->options.hooks->udp->sending(conn);
    calling = conn;
    kernel_send_datagrams(io, sock, messages, count);
    calling = NULL;
    conn->sim->options.hooks->udp->sent(conn, messages, count);
}

/* ---- making ---- */

int engine_connect_datagram(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes)
{
    static const int errors[] = {EADDRNOTAVAIL, EAGAIN, ENETUNREACH, EACCES, EAFNOSUPPORT};
    struct sim_engine *engine = engine_of(io);
    struct sim *sim = engine->sim;
    struct sim_conn *conn = NULL;
    int error = 0;

    if (sim_chance(sim, sim->options.chances.no_descriptor))
        error = sim_lack(sim);
    else if (sim_chance(sim, sim->options.chances.no_port))
        error = -errors[sim_below(sim, 5)];
    else
        conn = sim_udp_connect(sim, addr, receive_buffer_bytes);
    sim->options.hooks->udp->connected(engine, conn);
    return conn ? sim_conn_fd(conn) : error;
}
