/* unix_connect_never_waits: connect(2) on a non-blocking UNIX socket succeeds at once, or fails with EAGAIN if the accept queue of the listener is full. It
 * never returns EINPROGRESS.
 *
 * Seen: 6.18.
 * Relied on by: src/io/uring_ops.c, connect_unix(), and src/io/epoll.c; src/worker/connect.c, lacks_resources(), which tries again after EAGAIN. */
#include <sys/un.h>

#include "fact.h"

enum { BACKLOG = 3, CLIENTS_MAX = 100 };

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), error = 0, clients = 0;

    (void)MUST(bind(listener, (const struct sockaddr *)&address, sizeof(sa_family_t)));
    (void)MUST(getsockname(listener, (struct sockaddr *)&address, &length));
    (void)MUST(listen(listener, BACKLOG));
    while (!error && clients < CLIENTS_MAX) {
        int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

        error = connect(fd, (const struct sockaddr *)&address, length) < 0 ? errno : 0;
        clients += error == 0;
    }
    fact_holds(error == EAGAIN, "connecting to a full queue: %s", strerror(error));
    fact_holds(clients >= BACKLOG, "a queue for %d was full with %d", BACKLOG, clients);
    return 0;
}
