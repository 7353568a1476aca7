/* udp_tells_address_from_port: connect(2) on a TCP socket fails with EADDRNOTAVAIL if no local port is free, and also if the machine has no IPv6 address from
 * which it could send. On a UDP socket it fails with EADDRNOTAVAIL only for lack of an address; a lack of UDP ports is EAGAIN.
 *
 * Seen: 6.18.
 * Relied on by: src/base/local_address.c; src/worker/udp_flow.c, open_to_any(). */
#include "fact.h"

static struct sockaddr_in6 loopback(int port)
{
    return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons((uint16_t)port)};
}

/* Returns 0 or the errno of connect(2). The socket stays open, so that its port stays taken. */
static int try_connect(int type, int port)
{
    struct sockaddr_in6 to = loopback(port);
    int fd = MUST(socket(AF_INET6, type | SOCK_CLOEXEC, 0));

    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
}

int main(void)
{
    enum { SERVER_PORT = 5000 };
    struct sockaddr_in6 to = loopback(SERVER_PORT);
    int listener, tcp, udp;

    fact_own_network();
    listener = MUST(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    (void)MUST(bind(listener, (const struct sockaddr *)&to, sizeof(to)));
    (void)MUST(listen(listener, 16));

    fact_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000"); /* of both families */
    fact_holds(try_connect(SOCK_STREAM, SERVER_PORT) == 0, "the only TCP port is not free");
    tcp = try_connect(SOCK_STREAM, SERVER_PORT);
    udp = try_connect(SOCK_DGRAM, SERVER_PORT);
    fact_holds(tcp == EADDRNOTAVAIL && udp == 0, "without a free TCP port: TCP %s, UDP %s", strerror(tcp), strerror(udp));
    udp = try_connect(SOCK_DGRAM, SERVER_PORT);
    fact_holds(udp == EAGAIN, "without a free UDP port: %s", strerror(udp));

    fact_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "40000 50000");
    fact_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    tcp = try_connect(SOCK_STREAM, SERVER_PORT);
    udp = try_connect(SOCK_DGRAM, SERVER_PORT);
    fact_holds(tcp == EADDRNOTAVAIL && udp == EADDRNOTAVAIL, "without an address: TCP %s, UDP %s", strerror(tcp), strerror(udp));
    return 0;
}
