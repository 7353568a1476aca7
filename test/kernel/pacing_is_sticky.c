/* pacing_is_sticky: a TCP socket that used bbr when it was connected is paced for good, even after a change to reno. A socket that changed to reno before it
 * was connected is not paced.
 *
 * Seen: 6.18 (sk_pacing_status). Without a queueing discipline that paces, TCP does so itself since 4.13.
 * Relied on by: include/io/congestion.h and src/control/binding.c, because reno must be set before the handshake. Otherwise one call after a client was
 * accepted would suffice. */
#include "fact.h"

enum { FIRST_SENDS = 20, TRIES = 200, LARGE = 60000 };

static void set_congestion(int fd, const char *name)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0)
        fact_skip("this kernel has no %s: %s", name, strerror(errno));
}

/* The peer reads `count` bytes and answers, which also acknowledges them. */
static void exchange(struct fact_pair pair, size_t count)
{
    static char bytes[LARGE + 1];

    (void)MUST(recv(pair.theirs, bytes, count, MSG_WAITALL));
    (void)MUST(send(pair.theirs, "y", 1, MSG_NOSIGNAL));
    (void)MUST(recv(pair.ours, bytes, 1, 0));
    if (fact_asked(pair.ours, SIOCOUTQ) > 0)
        fact_broken("an answer did not acknowledge the message");
}

/* Whether a byte stays unsent behind a large message that was sent just before it. Only pacing can hold it back, because nothing else is in flight. The check
 * may come too late, after the byte was sent, so it is repeated. */
static bool is_paced(struct fact_pair pair)
{
    static const char bytes[LARGE];
    bool paced = false;

    for (int i = 0; i < FIRST_SENDS; i++) { /* the first segments of a connection are not paced */
        (void)MUST(send(pair.ours, bytes, 1, MSG_NOSIGNAL));
        exchange(pair, 1);
    }
    for (int i = 0; i < TRIES && !paced; i++) {
        (void)MUST(send(pair.ours, bytes, LARGE, MSG_NOSIGNAL));
        (void)MUST(send(pair.ours, bytes, 1, MSG_NOSIGNAL));
        paced = fact_asked(pair.ours, SIOCOUTQNSD) > 0;
        exchange(pair, LARGE + 1);
    }
    return paced;
}

static bool is_paced_after(const char *in_handshake)
{
    int listener = fact_socket();
    struct sockaddr_in address = fact_listen(listener);
    struct fact_pair pair = {.ours = fact_socket()};

    fact_set(pair.ours, IPPROTO_TCP, TCP_NODELAY, 1);
    set_congestion(pair.ours, "bbr");
    set_congestion(pair.ours, in_handshake);
    (void)MUST(-fact_connect(pair.ours, &address));
    set_congestion(pair.ours, "reno");
    pair.theirs = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    return is_paced(pair);
}

int main(void)
{
    fact_own_network();
    fact_sysctl("/proc/sys/net/ipv4/tcp_pacing_ss_ratio", "1"); /* pace at 1 % of the usual rate, which is slow enough to be visible on loopback */
    fact_sysctl("/proc/sys/net/ipv4/tcp_pacing_ca_ratio", "1");
    fact_holds(is_paced_after("bbr"), "a connection that began with bbr is not paced any more, now that it has reno");
    fact_holds(!is_paced_after("reno"), "a connection that began with reno is paced");
    return 0;
}
