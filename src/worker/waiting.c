/* worker/waiting.c: how a worker waits. The worker's thread; owns nothing. */
#include "worker/waiting.h"

#include "io/io.h"

enum { BUSY_POLL_AUTO_US = 100, BATCH_US = 200 };
#define CREDIT_MAX_NS ((uint64_t)1000000)
#define CREDIT_BONUS_NS ((uint64_t)5000)

void waiting_init(struct waiting *waiting, uint32_t busy_poll_us)
{
    *waiting = (struct waiting){
        .adaptive = busy_poll_us == UINT32_MAX,
        .busy_poll_us = busy_poll_us == UINT32_MAX ? BUSY_POLL_AUTO_US : busy_poll_us,
    };
}

void waiting_choose(const struct waiting *waiting, bool streams, struct io *io)
{
    uint64_t poll_ns = (uint64_t)waiting->busy_poll_us * 1000;

    io->waiting = (struct io_waiting){0};
    if (streams && (waiting->adaptive || waiting->busy_poll_us == 0))
        io->waiting.batch_us = BATCH_US;
    else if (!waiting->adaptive || waiting->credit_ns >= poll_ns)
        io->waiting.busy_poll_us = waiting->busy_poll_us;
}

void waiting_learn(struct waiting *waiting, const struct io *io)
{
    uint64_t poll_ns = (uint64_t)waiting->busy_poll_us * 1000;
    bool polled = io->polled_ns > 0;                          /* a turn that has something left to do does not */
    uint64_t after_ns = polled ? io->polled_ns : io->waited_ns; /* the latter includes submitting requests, which may take longer than a poll */

    if (poll_ns == 0)
        return;
    if (polled) {
        waiting->polls++;
        waiting->polls_met += io->polled_ns < poll_ns;
        waiting->polled_ns += io->polled_ns;
    }
    if (after_ns < poll_ns && io->events > 0)
        waiting->credit_ns += after_ns + CREDIT_BONUS_NS;
    else if (polled)
        waiting->credit_ns -= waiting->credit_ns < poll_ns ? waiting->credit_ns : poll_ns;
    if (waiting->credit_ns > CREDIT_MAX_NS)
        waiting->credit_ns = CREDIT_MAX_NS;
}
