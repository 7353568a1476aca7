/* health/probe_socket.c: opens and closes the sockets of probes. Health thread; owns nothing. */
#include "health/probe_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

int probe_socket_open(int family)
{
    const int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && family != AF_UNIX) /* the option remains in force in TIME-WAIT */
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
