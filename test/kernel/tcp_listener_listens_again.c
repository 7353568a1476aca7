/* tcp_listener_listens_again: on a listening TCP socket that was shut down, accept(2) fails with EINVAL and a poll ends. If the socket was bound to an
 * explicit port, listen(2) makes it serve its address again.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/acceptor.c, listen_again(); src/io/kernel_listen.c, kernel_listen_again(). */
#include "fact.h"

int main(void)
{
    int chooser = fact_socket(), listener = fact_socket(), fd;
    struct sockaddr_in address = fact_loopback(0);

    /* A socket that was bound to port 0 loses its port when it is shut down. So one socket gets a free port, and the listener binds that port explicitly. */
    fact_set(chooser, SOL_SOCKET, SO_REUSEADDR, 1);
    fact_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    (void)MUST(-fact_bind(chooser, &address));
    address = fact_name(chooser);
    (void)MUST(-fact_bind(listener, &address));
    (void)close(chooser);
    (void)MUST(listen(listener, 16));

    (void)MUST(shutdown(listener, SHUT_RD));
    fact_holds(fact_ready(listener, POLLIN) != 0, "a poll on a socket that was shut does not end");
    fact_block(listener, false);
    fact_holds(accept4(listener, NULL, NULL, 0) < 0 && errno == EINVAL, "accept on a socket that was shut: %s", strerror(errno));
    fact_holds(listen(listener, 16) == 0, "listening again: %s", strerror(errno));
    fact_holds(!(fact_ready(listener, POLLIN | POLLRDHUP) & POLLRDHUP), "a socket that listens again has POLLRDHUP");
    (void)fact_call(&address);
    (void)fact_await(listener, POLLIN);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    fact_holds(fd >= 0, "accept on a socket that listens again: %s", strerror(errno));
    return 0;
}
