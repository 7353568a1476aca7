/* unix_listener_stays_shut: if a listening UNIX socket was shut down for reading, connect(2) to it is refused, and clients in the queue can still be
 * accepted. POLLRDHUP stays set, even after another listen(2).
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel_listen.c, kernel_stop_queueing() and kernel_is_shut(); src/worker/acceptor.c, listen_again(), which gives up such a socket. */
#include <sys/un.h>

#include "fact.h"

static int new_client(const struct sockaddr_un *address, socklen_t length)
{
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

    return connect(fd, (const struct sockaddr *)address, length) < 0 ? errno : 0;
}

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), error;

    (void)MUST(bind(listener, (const struct sockaddr *)&address, sizeof(sa_family_t)));
    (void)MUST(getsockname(listener, (struct sockaddr *)&address, &length));
    (void)MUST(listen(listener, 16));
    error = new_client(&address, length);
    if (error || fact_ready(listener, POLLRDHUP) & POLLRDHUP)
        fact_broken("connect: %s", strerror(error));
    (void)MUST(shutdown(listener, SHUT_RD));
    error = new_client(&address, length);
    fact_holds(error == ECONNREFUSED, "connecting to a socket that was shut: %s", strerror(error));
    fact_holds(accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0, "the queued client cannot be accepted: %s", strerror(errno));
    fact_holds(accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EAGAIN, "accept on an empty queue: %s", strerror(errno));
    fact_holds(fact_ready(listener, POLLRDHUP) & POLLRDHUP, "a socket that was shut has no POLLRDHUP");
    (void)listen(listener, 16);
    error = new_client(&address, length);
    fact_holds(error == ECONNREFUSED && fact_ready(listener, POLLRDHUP) & POLLRDHUP, "a socket that was shut serves again: %s", strerror(error));
    return 0;
}
