/* io/kernel_datagram.c: direct system calls on UDP sockets, shared by the engines. Worker thread; owns nothing but batches.
 *
 * Datagrams are received by recvmmsg(2) and sent by sendmmsg(2) on both engines, not by requests to io_uring: a batch of them costs one call either way, and a
 * receive of io_uring would need a registered buffer of 64 KiB for each datagram that waits. */
#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/kernel.h"

enum {
    /* Buffers are not a multiple of the page size apart. Otherwise the first bytes of all of them would compete for the same places in the CPU's caches. */
    BUFFER_STRIDE = IO_DATAGRAM_BYTES + 576,
    CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)),
    SEND_CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)),
    SEND_MAX = 64, /* messages in one sendmmsg(2) */
};

struct io_batch {
    struct mmsghdr headers[IO_DATAGRAMS_MAX];
    struct iovec vectors[IO_DATAGRAMS_MAX];
    union io_endpoint peers[IO_DATAGRAMS_MAX];
    struct io_datagram datagrams[IO_DATAGRAMS_MAX];
    _Alignas(8) uint8_t controls[IO_DATAGRAMS_MAX][CONTROL_BYTES];
    uint8_t *buffers;
};

struct io_batch *io_batch_new(void)
{
    struct io_batch *batch = calloc(1, sizeof(*batch));
    void *buffers = mmap(NULL, (size_t)IO_DATAGRAMS_MAX * BUFFER_STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (!batch || buffers == MAP_FAILED) {
        if (buffers != MAP_FAILED)
            (void)munmap(buffers, (size_t)IO_DATAGRAMS_MAX * BUFFER_STRIDE);
        free(batch);
        return NULL;
    }
    batch->buffers = buffers;
    for (unsigned i = 0; i < IO_DATAGRAMS_MAX; i++) {
        batch->vectors[i] = (struct iovec){.iov_base = batch->buffers + (size_t)i * BUFFER_STRIDE, .iov_len = IO_DATAGRAM_BYTES};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i], .msg_iov = &batch->vectors[i], .msg_iovlen = 1, .msg_control = batch->controls[i]};
        batch->datagrams[i].data = batch->vectors[i].iov_base;
        batch->datagrams[i].peer = &batch->peers[i];
    }
    return batch;
}

void io_batch_free(struct io_batch *batch)
{
    if (!batch)
        return;
    (void)munmap(batch->buffers, (size_t)IO_DATAGRAMS_MAX * BUFFER_STRIDE);
    free(batch);
}

const struct io_datagram *io_batch_at(const struct io_batch *batch, unsigned i)
{
    return &batch->datagrams[i];
}

/* Copies the value of a control message, which need not be aligned. */
static void read_value(const struct cmsghdr *control, void *value, size_t bytes)
{
    memcpy(value, CMSG_DATA(control), bytes);
}

static void read_control(struct msghdr *header, struct io_datagram *datagram)
{
    struct in6_pktinfo info6;
    struct in_pktinfo info;
    int segment_bytes;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            read_value(control, &segment_bytes, sizeof(segment_bytes));
            if (segment_bytes > 0 && (uint32_t)segment_bytes < datagram->bytes)
                datagram->segment_bytes = (uint16_t)segment_bytes;
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            read_value(control, &info, sizeof(info));
            /* Not ipi_addr: for a broadcast, that is no address of this machine. */
            datagram->local = (struct io_local){.family = AF_INET, .in = info.ipi_spec_dst};
            datagram->to_group = info.ipi_spec_dst.s_addr != info.ipi_addr.s_addr && info.ipi_spec_dst.s_addr != INADDR_ANY; /* INADDR_ANY: not known */
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            read_value(control, &info6, sizeof(info6));
            datagram->local = (struct io_local){.family = AF_INET6, .in6 = info6.ipi6_addr};
            if (IN6_IS_ADDR_LINKLOCAL(&info6.ipi6_addr) || IN6_IS_ADDR_MULTICAST(&info6.ipi6_addr))
                datagram->local.interface = info6.ipi6_ifindex;
            datagram->to_group = IN6_IS_ADDR_MULTICAST(&info6.ipi6_addr);
            if (datagram->to_group) /* no reply can come from it: the kernel chooses an address of the interface */
                datagram->local.in6 = in6addr_any;
        }
    }
}

int kernel_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count)
{
    int received;

    (void)io;
    assert(first + count <= IO_DATAGRAMS_MAX && count > 0);
    for (unsigned i = first; i < first + count; i++) {
        batch->headers[i].msg_hdr.msg_namelen = sizeof(batch->peers[i]);
        batch->headers[i].msg_hdr.msg_controllen = CONTROL_BYTES;
    }
    do
        received = recvmmsg(sock->fd, &batch->headers[first], count, MSG_DONTWAIT, NULL);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    for (unsigned i = first; i < first + (unsigned)received; i++) {
        struct io_datagram *datagram = &batch->datagrams[i];

        datagram->bytes = batch->headers[i].msg_len;
        datagram->segment_bytes = 0;
        datagram->cut = batch->headers[i].msg_hdr.msg_flags & MSG_TRUNC;
        datagram->local.family = AF_UNSPEC;
        datagram->to_group = false;
        read_control(&batch->headers[i].msg_hdr, datagram);
    }
    return received;
}

static struct cmsghdr *add_control(struct msghdr *header, int level, int type, const void *value, size_t bytes)
{
    struct cmsghdr *control = (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);

    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(control), value, bytes);
    header->msg_controllen += CMSG_SPACE(bytes);
    return control;
}

static void add_local(struct msghdr *header, const struct io_local *local)
{
    if (local->family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = local->in};

        (void)add_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else if (local->family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = local->in6, .ipi6_ifindex = local->interface};

        (void)add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
}

static void fill_header(struct msghdr *header, struct io_outgoing *message, uint8_t *control)
{
    *header = (struct msghdr){.msg_iov = message->parts, .msg_iovlen = message->part_count, .msg_control = control};
    if (message->peer) {
        header->msg_name = (void *)(uintptr_t)message->peer;
        header->msg_namelen = message->peer->sa.sa_family == AF_INET ? sizeof(message->peer->in) : sizeof(message->peer->in6);
    }
    if (message->local)
        add_local(header, message->local);
    if (message->segment_bytes)
        (void)add_control(header, SOL_UDP, UDP_SEGMENT, &message->segment_bytes, sizeof(message->segment_bytes));
    if (header->msg_controllen == 0)
        header->msg_control = NULL;
}

/* Moves the first `bytes` of the message to a message of its own, whose parts are written to `parts`. */
static void split_message(struct io_outgoing *message, uint32_t bytes, struct io_outgoing *head, struct iovec *parts)
{
    *head = *message;
    head->parts = parts;
    head->part_count = 0;
    head->segment_bytes = 0;
    head->bytes = bytes;
    while (bytes > 0) {
        struct iovec *from = message->parts;
        size_t n = from->iov_len < bytes ? from->iov_len : bytes;

        parts[head->part_count++] = (struct iovec){.iov_base = from->iov_base, .iov_len = n};
        from->iov_base = (uint8_t *)from->iov_base + n;
        from->iov_len -= n;
        if (from->iov_len == 0) {
            message->parts++;
            message->part_count--;
        }
        bytes -= (uint32_t)n;
        message->bytes -= (uint32_t)n;
    }
}

/* Sends one datagram. If the error is that of an earlier datagram, this one was not sent, so it is tried again, once. Returns 0 or an errno. */
static int send_one(int fd, struct io_outgoing *message)
{
    _Alignas(8) uint8_t control[SEND_CONTROL_BYTES] = {0};
    struct msghdr header;
    bool retried = false;

    fill_header(&header, message, control);
    while (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EINTR && (retried || !io_peer_is_gone(errno)))
            return errno;
        retried |= errno != EINTR;
    }
    return 0;
}

/* Sends the datagrams of a train one by one: the kernel does not cut datagrams that are larger than the path's MTU out of a train (EMSGSIZE, or EINVAL), nor
 * send trains through devices without checksum offload (EIO). Newer kernels do the latter. Returns 0 or an errno. If some of the datagrams were sent, it is
 * not one that means that none was: the caller would send the train again to another peer. */
static int send_each(int fd, struct io_outgoing *train)
{
    struct io_outgoing rest = *train, head;
    struct iovec parts[2 * IO_TRAIN_MAX];
    bool is_sent = false;
    int error = 0;

    while (rest.bytes > 0) {
        int result;

        split_message(&rest, rest.bytes < train->segment_bytes ? rest.bytes : train->segment_bytes, &head, parts);
        result = send_one(fd, &head);
        is_sent |= result == 0;
        error = result ? result : error;
    }
    return is_sent && io_peer_is_gone(error) ? EIO : error;
}

static bool refuses_trains(int error)
{
    return error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP;
}

/* Sends up to SEND_MAX messages. Returns the position of a message at which a connected socket reports that its peer is gone, or `count`. */
static unsigned send_some(int fd, struct io_outgoing *messages, unsigned count)
{
    struct mmsghdr headers[SEND_MAX];
    _Alignas(8) uint8_t controls[SEND_MAX][SEND_CONTROL_BYTES];

    for (unsigned i = 0; i < count; i++)
        fill_header(&headers[i].msg_hdr, &messages[i], controls[i]);
    for (unsigned i = 0; i < count;) {
        int sent = sendmmsg(fd, &headers[i], count - i, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) { /* the message after these has its error again in the next call; that of an earlier datagram is lost */
            i += (unsigned)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        messages[i].error = errno;
        if (messages[i].segment_bytes && refuses_trains(errno))
            messages[i].error = send_each(fd, &messages[i]);
        else if (!messages[i].peer && io_peer_is_gone(errno))
            return i;
        i++;
    }
    return count;
}

void kernel_send_datagrams(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count)
{
    unsigned sent = 0;

    (void)io;
    for (unsigned i = 0; i < count; i++)
        messages[i].error = 0;
    while (sent < count) {
        unsigned some = count - sent < SEND_MAX ? count - sent : SEND_MAX, reached = send_some(sock->fd, messages + sent, some);

        sent += reached;
        if (reached == some)
            continue;
        for (unsigned i = sent + 1; i < count; i++)
            messages[i].error = messages[sent].error;
        return;
    }
}

int kernel_connect_datagram(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes)
{
    static const int on = 1;
    int fd = socket(addr_family(addr), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), bytes = (int)receive_buffer_bytes;

    (void)io;
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)); /* before Linux 5.0 there are no trains */
    if (bytes > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (connect(fd, &addr->sa, addr->length) < 0) {
        int error = errno;

        (void)close(fd);
        return -error;
    }
    return fd;
}
