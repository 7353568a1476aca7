/* base/local_address.c: finds out whether a local address or a local port is lacking. Any thread; owns nothing. */
#include "base/local_address.h"

#include <errno.h>
#include <unistd.h>

/* UDP has ports of its own, and reports with EAGAIN that none is free (test/kernel/udp_tells_address_from_port.c). */
bool local_address_is_missing(const struct addr *to)
{
    int fd = socket(addr_family(to), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_missing;

    if (fd < 0)
        return false;
    is_missing = connect(fd, &to->sa, to->length) < 0 && errno == EADDRNOTAVAIL;
    (void)close(fd);
    return is_missing;
}
