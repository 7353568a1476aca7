/* connect_meets_itself: if nobody listens on a local port in the range of ephemeral ports, connect(2) to it may choose this very port as its own and
 * succeed: the socket is then connected to itself. A reset leaves the port free, and a normal close does not.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c, kernel_met_itself(); src/health/probe_socket.c. */
#include "fact.h"

/* Binds the address as a server would, and closes the socket again. Returns 0 or a positive errno. */
static int serve(const struct sockaddr_in *address)
{
    int fd = fact_socket(), error = fact_bind(fd, address);

    (void)close(fd);
    return error;
}

int main(void)
{
    struct sockaddr_in dead = fact_loopback(htons(40000)), peer;
    socklen_t length = sizeof(peer);
    int fd, error;

    fact_own_network();
    fact_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000");
    fd = fact_socket();
    error = fact_connect(fd, &dead);
    fact_holds(error == 0, "connecting to a port of the range, where nobody listens: %s", strerror(error));
    (void)MUST(getpeername(fd, (struct sockaddr *)&peer, &length));
    fact_holds(fact_name(fd).sin_port == peer.sin_port, "the socket has another port than its peer");
    fact_reset(fd);
    error = serve(&dead);
    fact_holds(error == 0, "a server on the port after the reset: %s", strerror(error));

    fd = fact_socket();
    (void)MUST(-fact_connect(fd, &dead));
    (void)close(fd);
    error = serve(&dead);
    fact_holds(error == EADDRINUSE, "a server on the port after an orderly close: %s", strerror(error));
    return 0;
}
