/* udp_train_is_sent_whole: a train (UDP_SEGMENT) arrives in one piece at a socket with UDP_GRO. If its datagrams are larger than the MTU of the path, the kernel
 * sends none of them (EMSGSIZE, or EINVAL), although it would send each alone, in fragments.
 *
 * Seen: 6.18. UDP_SEGMENT exists since 4.18, UDP_GRO since 5.0.
 * Relied on by: src/io/kernel_datagram.c, which then sends the datagrams one by one, and src/worker/udp_relay.c. */
#include <netinet/udp.h>

#include "fact.h"

enum { MTU = 1500, COUNT = 5 };

static int send_train(int fd, const struct sockaddr_in *to, uint16_t segment_bytes)
{
    static char data[65536];
    _Alignas(8) char control[CMSG_SPACE(sizeof(segment_bytes))] = {0};
    struct iovec part = {.iov_base = data, .iov_len = (size_t)COUNT * segment_bytes};
    struct msghdr header = {.msg_name = (void *)(uintptr_t)to, .msg_namelen = sizeof(*to), .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = sizeof(control)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

    *cmsg = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(segment_bytes))};
    memcpy(CMSG_DATA(cmsg), &segment_bytes, sizeof(segment_bytes));
    return sendmsg(fd, &header, 0) < 0 ? errno : 0;
}

int main(void)
{
    static char data[65536];
    struct ifreq mtu = {.ifr_name = "lo", .ifr_mtu = MTU};
    struct sockaddr_in address = fact_loopback(0);
    int client, server, error;
    ssize_t bytes;

    fact_own_network();
    client = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    server = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    (void)MUST(ioctl(client, SIOCSIFMTU, &mtu));
    fact_set(server, SOL_UDP, UDP_GRO, 1);
    (void)MUST(-fact_bind(server, &address));
    address = fact_name(server);
    error = send_train(client, &address, MTU - 28);
    fact_holds(error == 0, "a train of the MTU: %s", strerror(error));
    bytes = recv(server, data, sizeof(data), MSG_DONTWAIT);
    fact_holds(bytes == COUNT * (MTU - 28), "%zd bytes arrived in one piece instead of %d", bytes, COUNT * (MTU - 28));
    error = send_train(client, &address, MTU - 27);
    fact_holds(error == EMSGSIZE || error == EINVAL, "a train above the MTU: %s", strerror(error));
    fact_holds(recv(server, data, sizeof(data), MSG_DONTWAIT) < 0, "a part of the train was sent");
    fact_holds(sendto(client, data, MTU - 27, 0, (struct sockaddr *)&address, sizeof(address)) == MTU - 27, "one datagram above the MTU: %s", strerror(errno));
    fact_holds(recv(server, data, sizeof(data), MSG_DONTWAIT) == MTU - 27, "a datagram above the MTU did not arrive");
    return 0;
}
