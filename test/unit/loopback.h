/* loopback.h: a TCP listener on a free port of the loopback. For tests that use real sockets. Each of them includes the cmocka headers first. */
#ifndef TEST_UNIT_LOOPBACK_H
#define TEST_UNIT_LOOPBACK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Returns the listening descriptor, which the caller closes, and sets `*addr` to its address. */
static inline int listen_any(struct addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *addr = (struct addr){.length = sizeof(addr->in), .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &addr->sa, addr->length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &addr->length), 0);
    return fd;
}

#endif
