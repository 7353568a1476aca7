/* hop_limit_drops_new_handshakes: IP_MINTTL on a listening socket drops the SYNs that arrive with a lower TTL, while handshakes that have begun still
 * complete. Accepted sockets inherit it, and drop what their clients send until it is reset; TCP then sends those bytes again. IPv6 has the same option as
 * IPV6_MINHOPCOUNT. No privilege is needed.
 *
 * Seen: 6.18. The program takes some seconds, because a SYN is sent again after one second.
 * Relied on by: src/io/kernel_listen.c, kernel_stop_queueing() and kernel_accept(), where no socket filter is allowed. */
#include "fact.h"

enum { ANY = 0, TTL_MAX = 255 };

/* A loopback address of either family. */
union loopback {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static void try_family(int family, int level, int option)
{
    union loopback address = {.any.sa_family = (sa_family_t)family};
    socklen_t length = family == AF_INET ? sizeof(address.in) : sizeof(address.in6);
    int listener = MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), accepted, events;
    int early = MUST(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), late = MUST(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    char byte;

    if (family == AF_INET)
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.in6.sin6_addr = in6addr_loopback;
    (void)MUST(bind(listener, &address.any, length));
    (void)MUST(getsockname(listener, &address.any, &length));
    (void)MUST(listen(listener, 16));

    fact_set(early, level, option, TTL_MAX); /* drops the answer to its SYN, so that the handshake does not complete */
    fact_holds(connect(early, &address.any, length) < 0 && errno == EINPROGRESS, "connect: %s", strerror(errno));
    fact_set(listener, level, option, TTL_MAX);
    fact_holds(connect(late, &address.any, length) < 0 && errno == EINPROGRESS, "connect: %s", strerror(errno));
    fact_set(early, level, option, ANY);

    events = fact_await(listener, POLLIN);
    fact_holds(events & POLLIN && fact_ready(early, POLLOUT) == POLLOUT, "the handshake that had begun does not end: events 0x%x", (unsigned)events);
    fact_holds(fact_ready(late, POLLOUT) == 0 && fact_tcp_state(late) == TCP_SYN_SENT, "the client that came later was answered");

    (void)MUST(send(early, "x", 1, 0));
    accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    fact_holds(fact_get(accepted, level, option) == TTL_MAX, "it is not inherited");
    fact_holds(fact_ready(accepted, POLLIN) == 0, "a byte reached the accepted socket in spite of it");
    fact_set(accepted, level, option, ANY);
    fact_holds(fact_await(accepted, POLLIN) == POLLIN && recv(accepted, &byte, 1, 0) == 1, "the byte is lost");

    fact_set(listener, level, option, ANY);
    events = fact_await(late, POLLOUT);
    fact_holds(events == POLLOUT, "without the limit the later client is not answered: events 0x%x", (unsigned)events);
}

int main(void)
{
    try_family(AF_INET, IPPROTO_IP, IP_MINTTL);
    try_family(AF_INET6, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
    return 0;
}
