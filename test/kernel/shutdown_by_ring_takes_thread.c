/* shutdown_by_ring_takes_thread: io_uring hands each shutdown(2) and splice(2) to a kernel thread without trying it first.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c, which calls both directly. If this does not hold, both could be submitted with the other requests. */
#include <dirent.h>
#include <sys/wait.h>

#include "ring.h"

/* Returns the number of threads of this process, which includes the kernel's threads for its requests. */
static unsigned threads(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");

    if (!folder)
        fact_skip("/proc/self/task: %s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

/* Whether the kernel starts a thread for such a request. Call it once in each process, because the thread stays for a while. */
static bool takes_thread(bool splices)
{
    struct fact_pair pair = fact_tcp_pair();
    int pipes[2];
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe cqe;
    unsigned before;

    ring_open(&ring, 8);
    (void)MUST(pipe2(pipes, O_NONBLOCK | O_CLOEXEC));
    (void)MUST(write(pipes[1], "x", 1));
    before = threads();
    sqe = ring_request(&ring);
    if (splices)
        io_uring_prep_splice(sqe, pipes[0], -1, pair.ours, -1, 1, SPLICE_F_NONBLOCK);
    else
        io_uring_prep_shutdown(sqe, pair.ours, SHUT_WR);
    sqe->user_data = 1;
    if (!ring_next(&ring, &cqe) || cqe.res < 0)
        fact_broken("the request failed: %d", cqe.res);
    return threads() > before;
}

int main(void)
{
    int status, child = MUST(fork());

    if (child == 0) {
        fact_holds(takes_thread(true), "io_uring spliced without a kernel thread");
        return 0;
    }
    fact_holds(takes_thread(false), "io_uring shut a socket without a kernel thread");
    (void)MUST(waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : FACT_BROKEN;
}
