/* udp_socket.c: the system calls and control messages behind udp_socket.h. The caller's thread. */
#include "udp_socket.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOCKET_BUFFER_BYTES = 4 << 20 };

static int open_socket(const struct addr *addr, bool offload)
{
    int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int bytes = SOCKET_BUFFER_BYTES, one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* the kernel reduces both to its limits */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    if (offload && setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int udp_socket_bind(const struct addr *addr, bool offload)
{
    int fd = open_socket(addr, offload), one = 1;
    if (fd < 0)
        return fd;
    if (addr->sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &addr->sa, addr->length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int udp_socket_connect(const struct addr *addr, bool offload)
{
    int fd = open_socket(addr, offload);
    if (fd < 0)
        return fd;
    if (connect(fd, &addr->sa, addr->length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int udp_batch_init(struct udp_batch *batch, size_t message_max)
{
    /* Buffers at a distance of a power of two would share the same few sets of the CPU's cache. */
    *batch = (struct udp_batch){.bytes = message_max, .stride = (message_max + 63) / 64 * 64 + 64};
    batch->buffers = malloc(batch->stride * UDP_BATCH_MAX);
    if (!batch->buffers)
        return -ENOMEM;
    for (int i = 0; i < UDP_BATCH_MAX; i++) {
        batch->parts[i].iov_base = batch->buffers + (size_t)i * batch->stride;
        batch->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->senders[i].sa, .msg_iov = &batch->parts[i], .msg_iovlen = 1, .msg_control = batch->controls[i]};
    }
    return 0;
}

void udp_batch_deinit(struct udp_batch *batch)
{
    free(batch->buffers);
    batch->buffers = NULL;
}

int udp_batch_receive(struct udp_batch *batch, int fd, unsigned limit)
{
    for (unsigned i = 0; i < limit; i++) { /* the last call has changed these */
        batch->parts[i].iov_len = batch->bytes;
        batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->senders[i]) - offsetof(struct addr, sa);
        batch->messages[i].msg_hdr.msg_controllen = UDP_CONTROL_BYTES;
    }
    int count = recvmmsg(fd, batch->messages, limit, 0, NULL);
    return count < 0 ? -errno : count;
}

bool udp_batch_truncated(const struct udp_batch *batch, int i)
{
    return batch->messages[i].msg_hdr.msg_flags & MSG_TRUNC;
}

size_t udp_batch_segment(struct udp_batch *batch, int i)
{
    struct msghdr *message = &batch->messages[i].msg_hdr;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
        int segment;
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO)
            continue;
        memcpy(&segment, CMSG_DATA(control), sizeof(segment));
        if (segment > 0)
            return (size_t)segment;
    }
    return batch->messages[i].msg_len;
}

void udp_socket_set_segment(struct msghdr *message, void *control, size_t segment)
{
    uint16_t bytes = (uint16_t)segment;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof(bytes));
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(bytes))};
    memcpy(CMSG_DATA(header), &bytes, sizeof(bytes));
}
