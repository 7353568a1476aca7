/* unix_tells_who_stops_reading: when the peer of a UNIX stream has shut down reading, our sends fail with EPIPE, although bytes that the peer sends still
 * arrive. On TCP, our sends do not fail.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/relay.c, only_stopped_reading(). Further bytes for such a peer are dropped instead of ending the session. */
#include "fact.h"

static void one_stops_reading(int ours, int theirs, int expected)
{
    char byte;
    int error;

    (void)MUST(shutdown(theirs, SHUT_RD));
    error = send(ours, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
    fact_holds(error == expected, "a send to a peer that has stopped reading: %s instead of %s", strerror(error), strerror(expected));
    (void)MUST(send(theirs, "y", 1, MSG_NOSIGNAL));
    (void)fact_await(ours, POLLIN);
    fact_holds(recv(ours, &byte, 1, MSG_DONTWAIT) == 1, "what such a peer sends does not come: %s", strerror(errno));
}

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    int fds[2];

    (void)MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    one_stops_reading(fds[0], fds[1], EPIPE);
    one_stops_reading(pair.ours, pair.theirs, 0);
    return 0;
}
