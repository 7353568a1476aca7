/* udp_socket.h: UDP sockets, and buffers for receiving several datagrams with one call. The caller's thread.
 *
 * With offload, datagrams of one size travel as a train: the kernel takes and delivers up to 64 of them as one message (UDP_SEGMENT, UDP_GRO; udp(7)). */
#ifndef LOADGEN_UDP_SOCKET_H
#define LOADGEN_UDP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"

enum {
    UDP_BATCH_MAX = 64, /* messages in one call */
    UDP_TRAIN_MAX = 64, /* datagrams in one train; older kernels refuse longer ones (UDP_MAX_SEGMENTS) */
    UDP_CONTROL_BYTES = CMSG_SPACE(sizeof(int))
};

/* Both return a non-blocking socket or a negative errno. Receive buffers are as large as the system's limit permits, up to 4 MiB. */
int udp_socket_bind(const struct addr *addr, bool offload);
int udp_socket_connect(const struct addr *addr, bool offload);

struct udp_batch {
    uint8_t *buffers;
    size_t stride; /* from one buffer to the next */
    size_t bytes;  /* size of a buffer */
    struct mmsghdr messages[UDP_BATCH_MAX];
    struct iovec parts[UDP_BATCH_MAX];
    struct addr senders[UDP_BATCH_MAX];
    _Alignas(struct cmsghdr) uint8_t controls[UDP_BATCH_MAX][UDP_CONTROL_BYTES];
};

/* Messages of more than `message_max` bytes will be truncated. Returns 0 or -ENOMEM. */
int udp_batch_init(struct udp_batch *batch, size_t message_max);
void udp_batch_deinit(struct udp_batch *batch);

/* Receives up to `limit` messages (1 to UDP_BATCH_MAX). Returns their number or a negative errno; -EAGAIN: there is none. */
int udp_batch_receive(struct udp_batch *batch, int fd, unsigned limit);

/* Whether message `i` did not fit its buffer. */
bool udp_batch_truncated(const struct udp_batch *batch, int i);

/* Returns the size of the datagrams of which message `i` consists; only the last one may be shorter. It is the length of the message if that is one
 * datagram. */
size_t udp_batch_segment(struct udp_batch *batch, int i);

/* Makes the message a train of datagrams of `segment` bytes. `control` has UDP_CONTROL_BYTES and belongs to the message until it is sent. */
void udp_socket_set_segment(struct msghdr *message, void *control, size_t segment);

#endif
