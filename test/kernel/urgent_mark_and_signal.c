/* urgent_mark_and_signal: at TCP's urgent mark, a receive fails with EAGAIN while a signal is pending, although there are unread bytes.
 *
 * Seen: 6.18 (tcp_recvmsg). A signal is pending during a call when a process is stopped, frozen or traced. Here, another request of the same call raises
 * one.
 * Relied on by: src/io/uring_ops.c, uring_look_again(), and src/io/epoll.c, serve_receive(), which do not trust such an EAGAIN. src/control/control.c makes
 * each worker check its sockets again after SIGCONT. */
#include <signal.h>

#include "ring.h"

static volatile sig_atomic_t raised;

static void on_sigpipe(int number)
{
    raised = number;
}

/* Submits in one call a write to a pipe without a reader, which raises SIGPIPE, and a receive. Returns the result of the receive. */
static int receive_with_signal(struct io_uring *ring, int fd, int pipe_end, char *bytes, unsigned count)
{
    struct io_uring_sqe *sqe = ring_request(ring);
    struct io_uring_cqe cqe;
    int results[2] = {0};

    raised = 0;
    io_uring_prep_write(sqe, pipe_end, "x", 1, 0);
    sqe->user_data = 0;
    sqe = ring_request(ring);
    io_uring_prep_recv(sqe, fd, bytes, count, MSG_DONTWAIT);
    sqe->user_data = 1;
    for (int i = 0; i < 2; i++) {
        if (!ring_next(ring, &cqe))
            fact_broken("%d of 2 requests were completed", i);
        results[cqe.user_data] = cqe.res;
    }
    if (results[0] != -EPIPE || raised != SIGPIPE)
        fact_skip("a write to a broken pipe raised no signal: %d", results[0]);
    return results[1];
}

int main(void)
{
    static const struct sigaction handler = {.sa_handler = on_sigpipe, .sa_flags = SA_RESTART};
    struct fact_pair pair = fact_tcp_pair();
    struct io_uring ring;
    char bytes[16];
    int pipes[2], result;

    ring_open(&ring, 8);
    (void)MUST(sigaction(SIGPIPE, &handler, NULL));
    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    (void)close(pipes[0]);
    fact_block(pair.ours, false);
    fact_set(pair.ours, SOL_SOCKET, SO_OOBINLINE, 1);
    (void)MUST(send(pair.theirs, "ab", 2, 0));
    fact_await_unread(pair.ours, 2);
    result = receive_with_signal(&ring, pair.ours, pipes[1], bytes, sizeof(bytes));
    fact_holds(result == 2, "with a signal pending, but no urgent mark, a receive returned %d instead of 2", result);

    (void)MUST(send(pair.theirs, "!", 1, MSG_OOB));
    fact_await_unread(pair.ours, 1);
    result = receive_with_signal(&ring, pair.ours, pipes[1], bytes, sizeof(bytes));
    fact_holds(result == -EAGAIN, "with a signal pending, a receive at the urgent mark returned %d instead of EAGAIN", result);
    fact_holds(fact_asked(pair.ours, SIOCINQ) == 1, "SIOCINQ does not count the byte at the mark: %d", fact_asked(pair.ours, SIOCINQ));
    result = (int)recv(pair.ours, bytes, sizeof(bytes), 0);
    fact_holds(result == 1 && bytes[0] == '!', "without a signal a receive at the urgent mark returned %d", result);
    return 0;
}
