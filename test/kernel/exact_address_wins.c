/* exact_address_wins: if one socket listens on a wildcard address and another one on 127.0.0.1 with the same port, connections to 127.0.0.1 go to the
 * latter.
 *
 * Seen: 6.18.
 * Relied on by: src/control/binding.c, binding_beside(), which keeps connections within the machine from beginning with a congestion control that paces. */
#include "fact.h"

enum { CALLS = 50 };

static int listen_on(const struct sockaddr_in *address)
{
    int fd = fact_socket();

    fact_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    fact_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (fact_bind(fd, address) || listen(fd, CALLS) < 0)
        fact_broken("cannot listen: %s", strerror(errno));
    return fd;
}

int main(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET}, loopback;
    int wildcard = listen_on(&any), exact;

    loopback = fact_loopback(fact_name(wildcard).sin_port);
    exact = listen_on(&loopback);
    for (int i = 0; i < CALLS; i++) {
        int fd = fact_call(&loopback);
        struct pollfd pollers[2] = {{.fd = exact, .events = POLLIN}, {.fd = wildcard, .events = POLLIN}};

        (void)MUST(poll(pollers, 2, FACT_DEADLINE_MS));
        fact_holds(pollers[0].revents && !pollers[1].revents, "connection %d came to the wildcard address", i);
        (void)close(MUST(accept4(exact, NULL, NULL, SOCK_CLOEXEC)));
        (void)close(fd);
    }
    return 0;
}
