/* reuseport_hides_a_server: if both sockets have SO_REUSEPORT, a second server of the same user can bind an address that is already served, and listen on
 * it, without an error. Without SO_REUSEPORT, bind(2) fails with EADDRINUSE.
 *
 * Seen: 6.18. SO_REUSEPORT exists since 3.9.
 * Relied on by: src/control/sockets.c, which first binds every address without it, as a check. Each worker has its own socket, with SO_REUSEPORT. */
#include "fact.h"

static int try_to_serve(const struct sockaddr_in *address, bool shared)
{
    int fd = fact_socket(), error;

    fact_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    fact_set(fd, SOL_SOCKET, SO_REUSEPORT, shared);
    error = fact_bind(fd, address);
    if (!error && listen(fd, 16) < 0)
        error = errno;
    (void)close(fd);
    return error;
}

int main(void)
{
    int server = fact_socket(), error;
    struct sockaddr_in address;

    fact_set(server, SOL_SOCKET, SO_REUSEADDR, 1);
    fact_set(server, SOL_SOCKET, SO_REUSEPORT, 1);
    address = fact_listen(server);
    error = try_to_serve(&address, true);
    fact_holds(error == 0, "a second server with SO_REUSEPORT: %s", strerror(error));
    error = try_to_serve(&address, false);
    fact_holds(error == EADDRINUSE, "a second server without SO_REUSEPORT: %s", strerror(error));
    return 0;
}
