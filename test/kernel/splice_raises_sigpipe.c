/* splice_raises_sigpipe: splice(2) to a socket that the peer has reset raises SIGPIPE, and no flag prevents this.
 *
 * Seen: 6.18.
 * Relied on by: src/control/control.c, start_signals(), which ignores SIGPIPE for the whole process. Every other send has MSG_NOSIGNAL. */
#include <signal.h>

#include "fact.h"

static volatile sig_atomic_t raised;

static void on_sigpipe(int number)
{
    raised = number;
}

int main(void)
{
    static const struct sigaction handler = {.sa_handler = on_sigpipe};
    struct fact_pair pair = fact_tcp_pair();
    int pipes[2], error = 0;

    (void)MUST(sigaction(SIGPIPE, &handler, NULL));
    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    (void)MUST(write(pipes[1], "abc", 3));
    fact_block(pair.ours, false);
    fact_reset(pair.theirs);
    (void)fact_await(pair.ours, POLLHUP);
    for (int i = 0; i < 2; i++) { /* the first call reports the error of the reset, and the second one raises the signal */
        error = splice(pipes[0], NULL, pair.ours, NULL, 1, SPLICE_F_NONBLOCK) < 0 ? errno : 0;
        fact_holds(error == EPIPE || error == ECONNRESET, "splice to a socket that was reset: %s", strerror(error));
    }
    fact_holds(error == EPIPE, "the second splice to a socket that was reset: %s", strerror(error));
    fact_holds(raised == SIGPIPE, "no signal was raised");
    return 0;
}
