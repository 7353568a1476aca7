/* worker/pace.c: how a worker waits. The worker's thread; owns nothing. */
#include "io/io.h"
#include "worker/pace.h"

enum {
    SPIN_AUTO_US = 100,       /* about what a wake-up of an idle virtual CPU costs; what comes later than that is not worth looking for */
    MEASURE_US = 4000,        /* of traffic that a decision on streams and small messages looks back on */
    CHATTY_PER_S = 2000,      /* small messages */
    STREAM_US = 200,          /* 300 us cost throughput up; a stream of 1 GB/s fills 200 KB of its socket meanwhile */
};
#define PAUSE_NS ((uint64_t)20000000) /* a measurement that took so long has one in it: streams have ended, or are slow */
#define CHATTY_NS ((uint64_t)200000000)
#define SPIN_CREDIT_MAX_NS ((uint64_t)1000000)
#define SPIN_BONUS_NS ((uint64_t)5000)

void pace_init(struct pace *pace, uint32_t busy_poll_us)
{
    *pace = (struct pace){
        .adaptive = busy_poll_us == UINT32_MAX,
        .spin_us = busy_poll_us == UINT32_MAX ? SPIN_AUTO_US : busy_poll_us,
    };
}

void pace_choose(struct pace *pace, struct io *io)
{
    uint64_t spin_ns = (uint64_t)pace->spin_us * 1000;

    io->pace = (struct io_pace){0};
    if (pace->streams && (pace->adaptive || pace->spin_us == 0)) /* who has it spin in any case wants no rest */
        io->pace.rest_us = STREAM_US;
    else if (!pace->adaptive || pace->credit_ns >= spin_ns)
        io->pace.spin_us = pace->spin_us;
}

/* An event that came soon would have been met by looking, whether or not that was done. A look in vain uses up what such events have brought in: what is lost
 * is never more than what was of use. */
static void learn_spin(struct pace *pace, const struct io *io)
{
    uint64_t spin_ns = (uint64_t)pace->spin_us * 1000;
    bool looked = io->spun_ns > 0; /* a turn that has something left to do does not */
    uint64_t after_ns = looked ? io->spun_ns : io->waited_ns; /* the latter with handing over, which may take longer than there is to look */

    if (looked) {
        pace->spins++;
        pace->spins_met += io->spun_ns < spin_ns;
        pace->spun_ns += io->spun_ns;
    }
    if (after_ns < spin_ns && io->events > 0)
        pace->credit_ns += after_ns + SPIN_BONUS_NS;
    else if (looked)
        pace->credit_ns -= pace->credit_ns < spin_ns ? pace->credit_ns : spin_ns;
    if (pace->credit_ns > SPIN_CREDIT_MAX_NS)
        pace->credit_ns = SPIN_CREDIT_MAX_NS;
}

static void decide(struct pace *pace)
{
    if (pace->small_messages * (uint64_t)1000000000 / pace->passed_ns >= CHATTY_PER_S)
        pace->chatty_until_ns = pace->ended_ns + CHATTY_NS; /* they come in bursts */
    pace->chatty = pace->ended_ns < pace->chatty_until_ns;
    pace->streams = pace->stream_turns > 0 && pace->stream_turns * 2 >= pace->events && pace->passed_ns < PAUSE_NS;
    pace->small_messages = 0;
    pace->stream_turns = 0;
    pace->passed_ns = 0;
    pace->events = 0;
}

void pace_received(struct pace *pace, bool small, bool *last_small)
{
    pace->small_messages += small && *last_small;
    *last_small = small;
}

static void learn_traffic(struct pace *pace, const struct io *io)
{
    pace->passed_ns += pace->ended_ns ? io->now_ns - pace->ended_ns : 0;
    pace->ended_ns = io->now_ns;
    pace->events += io->events;
    if (pace->passed_ns >= (uint64_t)MEASURE_US * 1000)
        decide(pace);
}

void pace_learn(struct pace *pace, const struct io *io)
{
    if (pace->spin_us > 0)
        learn_spin(pace, io);
    learn_traffic(pace, io);
}
