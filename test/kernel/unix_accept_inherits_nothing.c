/* unix_accept_inherits_nothing: an accepted UNIX socket inherits neither SO_OOBINLINE nor the buffer sizes from the listening socket.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel_listen.c, kernel_accept(), which sets SO_OOBINLINE on each accepted UNIX socket. */
#include <sys/un.h>

#include "fact.h"

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), client = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), accepted;
    int sent_before = fact_get(listener, SOL_SOCKET, SO_SNDBUF), sent;

    fact_set(listener, SOL_SOCKET, SO_OOBINLINE, 1);
    fact_set(listener, SOL_SOCKET, SO_SNDBUF, 30000);
    (void)MUST(bind(listener, (const struct sockaddr *)&address, sizeof(sa_family_t)));
    (void)MUST(getsockname(listener, (struct sockaddr *)&address, &length));
    (void)MUST(listen(listener, 16));
    (void)MUST(connect(client, (const struct sockaddr *)&address, length));
    accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    fact_holds(fact_get(accepted, SOL_SOCKET, SO_OOBINLINE) == 0, "SO_OOBINLINE is inherited");
    sent = fact_get(accepted, SOL_SOCKET, SO_SNDBUF);
    fact_holds(sent == sent_before, "SO_SNDBUF of the accepted socket is %d, it was %d by default", sent, sent_before);
    return 0;
}
