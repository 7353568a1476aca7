/* health/probe_socket.c: opens and closes the sockets of probes. Health thread; owns nothing. */
#include "health/probe_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int probe_socket_open(int family)
{
    const int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && family != AF_UNIX) /* the option remains in force in TIME-WAIT */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return fd;
}

/* Without IP_RECVERR, a socket does not learn that a host or network is unreachable (ip(7)). SO_REUSEADDR is set after the kernel has chosen the port. If it
 * were set before, the kernel could choose the port of a server that has the option too. */
int probe_socket_open_udp(const struct addr *addr)
{
    const int on = 1;
    int fd = socket(addr_family(addr), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return -1;
    if (addr_family(addr) == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    if (connect(fd, &addr->sa, addr->length) < 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return fd;
}

/* Returns false if the socket has no peer, or none yet. */
static bool get_ends(int fd, struct addr *here, struct addr *there)
{
    *here = *there = (struct addr){.length = sizeof(here->un)};
    return getsockname(fd, &here->sa, &here->length) == 0 && getpeername(fd, &there->sa, &there->length) == 0;
}

bool probe_socket_is_own_peer(int fd)
{
    struct addr here, there;

    return get_ends(fd, &here, &there) && addr_equal(&here, &there);
}

/* A socket that is still connecting may become its own peer before it is closed, so it is reset like one. */
int probe_socket_close(int fd)
{
    const struct linger reset = {.l_onoff = 1};
    struct addr here, there;

    if (!get_ends(fd, &here, &there) || addr_equal(&here, &there))
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return close(fd);
}
