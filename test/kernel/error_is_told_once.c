/* error_is_told_once: the first call on a socket that was reset fails with ECONNRESET. After that, a receive returns 0 as at the end of the stream, a send
 * fails with EPIPE, and POLLHUP stays set.
 *
 * Seen: 6.18.
 * Relied on by: src/io/uring_ops.c, uring_splice_in(), which checks for POLLHUP if splice(2) returns 0 while a send is in flight; src/worker/relay_splice.c,
 * fill_pipe(); src/io/kernel.c, kernel_broken(). */
#include "fact.h"

static int reset_ours(void)
{
    struct fact_pair pair = fact_tcp_pair();

    fact_block(pair.ours, false);
    fact_reset(pair.theirs);
    (void)fact_await(pair.ours, POLLHUP);
    return pair.ours;
}

static int receive(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);

    return got < 0 ? -errno : (int)got;
}

static int transmit(int fd)
{
    return send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? -errno : 1;
}

int main(void)
{
    int (*const calls[])(int fd) = {receive, transmit};

    for (int i = 0; i < 2; i++) {
        int fd = reset_ours(), first = calls[i](fd), received = receive(fd), sent = transmit(fd), events = fact_ready(fd, 0);

        fact_holds(first == -ECONNRESET, "the first %s after a reset returned %d", i ? "send" : "receive", first);
        fact_holds(received == 0, "a receive after the error was told returned %d instead of 0", received);
        fact_holds(sent == -EPIPE, "a send after the error was told returned %d instead of EPIPE", sent);
        fact_holds(events & POLLHUP, "the events of the socket are 0x%x, without POLLHUP", (unsigned)events);
    }
    return 0;
}
