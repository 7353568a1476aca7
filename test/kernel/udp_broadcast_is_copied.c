/* udp_broadcast_is_copied: each UDP socket of a SO_REUSEPORT group gets a copy of a datagram that was sent to a broadcast address, while one that was sent to an
 * address of this machine goes to one of them. IP_PKTINFO shows the difference: ipi_spec_dst is ipi_addr only for an address of this machine.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/udp_listener.c, where only the first worker relays such datagrams, and src/io/kernel_datagram.c. */
#include "fact.h"

/* Receives a datagram without waiting. Returns whether there was one, and whether it was sent to an address of this machine. */
static bool receive_copy(int fd, bool *to_machine)
{
    _Alignas(8) char control[CMSG_SPACE(sizeof(struct in_pktinfo))], byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct in_pktinfo info;

    if (recvmsg(fd, &header, MSG_DONTWAIT) < 0)
        return false;
    fact_holds(CMSG_FIRSTHDR(&header), "a datagram came without IP_PKTINFO");
    memcpy(&info, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(info));
    *to_machine = info.ipi_spec_dst.s_addr == info.ipi_addr.s_addr;
    return true;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET}, target;
    int servers[2], client = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), copies = 0;
    bool to_machine;

    for (int i = 0; i < 2; i++) {
        servers[i] = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        fact_set(servers[i], SOL_SOCKET, SO_REUSEPORT, 1);
        fact_set(servers[i], IPPROTO_IP, IP_PKTINFO, 1);
        (void)MUST(-fact_bind(servers[i], &address));
        address = fact_name(servers[i]);
    }
    fact_set(client, SOL_SOCKET, SO_BROADCAST, 1);
    target = fact_loopback(address.sin_port);
    (void)MUST(sendto(client, "x", 1, 0, (struct sockaddr *)&target, sizeof(target)));
    for (int i = 0; i < 2; i++) {
        if (!receive_copy(servers[i], &to_machine))
            continue;
        copies++;
        fact_holds(to_machine, "ipi_spec_dst is not ipi_addr although the datagram was sent to 127.0.0.1");
    }
    fact_holds(copies == 1, "%d sockets got the datagram to 127.0.0.1", copies);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK | 0xffffff); /* the broadcast address of the loopback interface */
    (void)MUST(sendto(client, "x", 1, 0, (struct sockaddr *)&target, sizeof(target)));
    for (int i = 0; i < 2; i++) {
        fact_holds(receive_copy(servers[i], &to_machine), "one socket got no copy of the broadcast datagram");
        fact_holds(!to_machine, "ipi_spec_dst is ipi_addr although the datagram was sent to a broadcast address");
    }
    return 0;
}
