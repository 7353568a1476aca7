/* io/congestion.c: which congestion control connections get. Any thread; owns nothing. */
#include "io/congestion.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_BYTES = 16 }; /* TCP_CA_NAME_MAX of the kernel */

const char *congestion_on_loopback(void)
{
    char name[NAME_BYTES] = "";
    socklen_t length = sizeof(name) - 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool paces = false;

    if (fd < 0)
        return NULL;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length) == 0)
        paces = strncmp(name, "bbr", 3) == 0; /* bbr, bbr2, bbr3: no other asks for pacing */
    (void)close(fd);
    return paces ? "reno" : NULL;
}

static const char *by_address(const char *on_loopback, const struct addr *peer)
{
    return on_loopback && addr_is_loopback(peer) ? on_loopback : NULL;
}

const char *congestion_for_client(const char *configured, const char *on_loopback, const struct addr *client)
{
    if (!configured || addr_family(client) == AF_UNIX)
        return NULL;
    return strcmp(configured, "auto") == 0 ? by_address(on_loopback, client) : configured;
}

const char *congestion_for_backend(const char *configured, const char *on_loopback, const struct addr *backend)
{
    return configured ? by_address(on_loopback, backend) : NULL;
}
