/* splice_obeys_the_file: whether splice(2) blocks on a socket depends only on the O_NONBLOCK of the socket. SPLICE_F_NONBLOCK applies to the pipe.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c, splice_retry(). Every socket of Penstock is opened with SOCK_NONBLOCK; otherwise a worker could block. */
#include <sys/time.h>

#include "fact.h"

enum { PATIENCE_MS = 50 };

int main(void)
{
    static const struct timeval patience = {.tv_usec = PATIENCE_MS * 1000};
    struct fact_pair pair = fact_tcp_pair();
    int pipes[2];
    uint64_t began_ns, took_ms;

    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    fact_block(pair.ours, false);
    fact_holds(splice(pair.ours, NULL, pipes[1], NULL, 1, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN, "splice from a non-blocking socket: %s", strerror(errno));

    fact_block(pair.ours, true);
    (void)MUST(setsockopt(pair.ours, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
    began_ns = fact_now_ns();
    fact_holds(splice(pair.ours, NULL, pipes[1], NULL, 1, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN, "splice from a blocking socket: %s", strerror(errno));
    took_ms = (fact_now_ns() - began_ns) / 1000000;
    fact_holds(took_ms >= PATIENCE_MS - 10, "with SPLICE_F_NONBLOCK splice did not wait for a blocking socket: it took %d ms of %d", (int)took_ms, PATIENCE_MS);
    return 0;
}
