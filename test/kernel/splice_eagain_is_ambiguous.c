/* splice_eagain_is_ambiguous: splice(2) from a socket returns EAGAIN both when the socket is empty and when the pipe is full.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/relay_splice.c, which fills a pipe only when it is empty; src/io/epoll.c, epoll_splice_in(), which counts an edge as used up only
 * if the pipe was empty. */
#include "fact.h"

enum { PIPE_BYTES = 4096, SENT = 1024 * 1024, MORE_THAN_FITS = 48000 }; /* one slot of a pipe holds at most 32 KiB */

int main(void)
{
    static char bytes[SENT];
    struct fact_pair pair = fact_tcp_pair();
    int pipes[2];
    ssize_t moved;

    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    (void)MUST(fcntl(pipes[1], F_SETPIPE_SZ, PIPE_BYTES));
    fact_block(pair.ours, false);
    fact_block(pair.theirs, false);
    (void)MUST(send(pair.theirs, bytes, sizeof(bytes), 0));
    fact_await_unread(pair.ours, MORE_THAN_FITS);
    while ((moved = splice(pair.ours, NULL, pipes[1], NULL, SENT, SPLICE_F_NONBLOCK)) > 0)
        ;
    fact_holds(moved < 0 && errno == EAGAIN, "splice into a full pipe returned %d: %s", (int)moved, strerror(errno));
    fact_holds(fact_ready(pair.ours, POLLIN) & POLLIN, "the socket is not readable any more: the pipe took all of it");
    while (read(pipes[0], bytes, sizeof(bytes)) > 0)
        ;
    moved = splice(pair.ours, NULL, pipes[1], NULL, SENT, SPLICE_F_NONBLOCK);
    fact_holds(moved > 0, "splice into the pipe, empty again, returned %d: %s", (int)moved, strerror(errno));
    return 0;
}
