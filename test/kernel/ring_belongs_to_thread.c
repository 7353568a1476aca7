/* ring_belongs_to_thread: a ring with deferred task work accepts requests only from the thread that created it. A call from any other thread fails with
 * EEXIST.
 *
 * Seen: 6.18; since 6.1.
 * Relied on by: src/worker/worker.c, begin_thread(), which creates the ring in the worker's thread; src/io/io.c, which asks for such rings. */
#include <pthread.h>

#include "ring.h"

static void *other_thread(void *argument)
{
    static int result;

    result = io_uring_submit(argument);
    return &result;
}

int main(void)
{
    struct io_uring ring;
    struct io_uring_cqe cqe;
    pthread_t thread;
    void *result;

    ring_open(&ring, 8);
    fact_holds(ring_is_quiet(&ring, &cqe), "completion %d of no request", (int)cqe.user_data);
    io_uring_prep_nop(ring_request(&ring));
    if (pthread_create(&thread, NULL, other_thread, &ring) || pthread_join(thread, &result))
        fact_broken("no thread");
    fact_holds(*(int *)result == -EEXIST, "another thread's call returned %d instead of EEXIST", *(int *)result);
    return 0;
}
