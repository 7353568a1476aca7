/* unread_bytes_make_a_reset: closing a TCP socket that holds unread bytes sends RST instead of FIN.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/relay.c, pass_end(), which leaves it to close(2) to send FIN only if the socket holds nothing unread. */
#include "fact.h"

static int read_after_close(bool unread)
{
    struct fact_pair pair = fact_tcp_pair();
    char byte;

    if (unread) {
        (void)MUST(send(pair.theirs, "x", 1, 0));
        fact_await_unread(pair.ours, 1);
    }
    (void)close(pair.ours);
    (void)fact_await(pair.theirs, POLLIN);
    return recv(pair.theirs, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}

int main(void)
{
    int error = read_after_close(false);

    fact_holds(error == 0, "closing an empty socket: the peer reads %s", strerror(error));
    error = read_after_close(true);
    fact_holds(error == ECONNRESET, "closing a socket with a byte unread: the peer reads %s", error ? strerror(error) : "an end of the stream");
    return 0;
}
