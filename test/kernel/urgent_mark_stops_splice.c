/* urgent_mark_stops_splice: splice(2) does not pass TCP's urgent mark, even with SO_OOBINLINE. At the mark it returns EAGAIN on a readable socket, or 0 if
 * FIN follows, while recv(2) passes the mark.
 *
 * Seen: 6.18.
 * Relied on by: src/worker/relay_splice.c, which changes to copying in both cases; src/io/epoll.c, which keeps the edge if splice(2) stopped at the mark. */
#include "fact.h"

/* What splice(2) says of the socket: a number of bytes, or a negative errno. */
static int splice_in(int fd, int pipe_end)
{
    ssize_t moved = splice(fd, NULL, pipe_end, NULL, 65536, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    return moved < 0 ? -errno : (int)moved;
}

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    int pipes[2], moved;
    char bytes[16];

    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    fact_block(pair.ours, false);
    fact_set(pair.ours, SOL_SOCKET, SO_OOBINLINE, 1);
    (void)MUST(send(pair.theirs, "abc!", 4, MSG_OOB)); /* the last byte is the urgent one */
    fact_await_unread(pair.ours, 4);
    moved = splice_in(pair.ours, pipes[1]);
    fact_holds(moved == 3, "splice moved %d bytes of 3 before the mark", moved);
    moved = splice_in(pair.ours, pipes[1]);
    fact_holds(moved == -EAGAIN && fact_ready(pair.ours, POLLIN) & POLLIN, "splice at the mark returned %d, the socket's events are 0x%x", moved,
               (unsigned)fact_ready(pair.ours, POLLIN));

    (void)MUST(send(pair.theirs, "de", 2, 0));
    (void)MUST(shutdown(pair.theirs, SHUT_WR));
    (void)fact_await(pair.ours, POLLRDHUP);
    moved = splice_in(pair.ours, pipes[1]);
    fact_holds(moved == 0, "splice at the mark, with FIN behind it, returned %d instead of 0", moved);
    moved = (int)recv(pair.ours, bytes, sizeof(bytes), 0);
    fact_holds(moved == 3 && memcmp(bytes, "!de", 3) == 0, "recv at the mark returned %d, the first byte is %d", moved, bytes[0]);
    return 0;
}
