/* pipe_share_of_a_user: an unprivileged user who has pipes of 64 MiB in total (fs.pipe-user-pages-soft) gets only small pipes from then on, and cannot
 * enlarge them.
 *
 * Seen: 6.18; since 4.5.
 * Relied on by: src/io/kernel.c, kernel_pipe_open(), which reads back the real size; src/worker/pipe_pool.c and src/control/capacity.c, whose limits on
 * pipes follow from this total. A direction copies if it can only get a small pipe. */
#include <grp.h>

#include "fact.h"

enum { SOMEBODY = 64321, LARGE = 1024 * 1024, PIPES_MAX = 1024, USABLE = 64 * 1024 }; /* SOMEBODY: a user id that no other process has */

int main(void)
{
    int pipes[2], capacity = LARGE, refused = 0;

    if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(SOMEBODY) < 0 || setuid(SOMEBODY) < 0))
        fact_skip("cannot become an ordinary user: %s", strerror(errno));
    for (int i = 0; i < PIPES_MAX && !refused; i++) {
        if (pipe2(pipes, O_CLOEXEC) < 0)
            fact_skip("pipe %d: %s", i, strerror(errno));
        if (fcntl(pipes[1], F_SETPIPE_SZ, LARGE) < 0)
            refused = errno;
    }
    if (!refused)
        fact_skip("this user may have %d pipes of 1 MiB", PIPES_MAX);
    fact_holds(refused == EPERM, "F_SETPIPE_SZ fails with: %s", strerror(refused));
    for (int i = 0; i < 16 && capacity >= USABLE; i++) { /* the rest of the user's limit may suffice for a few more pipes */
        (void)MUST(pipe2(pipes, O_CLOEXEC));
        capacity = MUST(fcntl(pipes[1], F_GETPIPE_SZ));
    }
    fact_holds(capacity < USABLE, "past the share a new pipe still holds %d bytes", capacity);
    return 0;
}
