/* worker/pace.c: how a worker waits. The worker's thread; owns nothing. */
#include "base/clock.h"
#include "io/io.h"
#include "worker/pace.h"

enum {
    SPIN_AUTO_US = 100,       /* about what a wake-up of an idle virtual CPU costs; what comes later than that is not worth looking for */
    MEASURE_US = 4000,        /* of traffic that a decision on gathering looks back on */
    GATHER_US = 250,          /* longest time that an event is made to wait */
    GATHER_EVENTS_MIN = 4,    /* fewer save too little */
    GATHER_EVENTS_MAX = 32,
    ANSWER_SHARE = 3,         /* it may take this part of the time in which a session gets from one event to its next */
    BUSY_FROM = 68, BUSY_FULL = 80, /* per cent of the time at work: from here on a little, from there on all of it; before that, latency is worth more */
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
        .thread_ns = clock_thread_ns,
    };
}

void pace_choose(struct pace *pace, struct io *io, uint32_t sessions)
{
    uint64_t spin_ns = (uint64_t)pace->spin_us * 1000;
    bool gather = pace->gather_events > 0 && sessions >= pace->gather_events;

    io->pace = (struct io_pace){0};
    if (pace->streams && (pace->adaptive || pace->spin_us == 0)) /* who has it spin in any case wants no rest */
        io->pace = (struct io_pace){.gather_us = STREAM_US, .gather_events = IO_GATHER_ALL};
    else if (gather)
        io->pace = (struct io_pace){.gather_us = pace->gather_us, .gather_events = pace->gather_events};
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

/* What the last milliseconds suggest: as long as a share of what is allowed, and as many events as most often come in it. */
static void decide(struct pace *pace, uint32_t sessions)
{
    uint64_t worked_ns = pace->thread_ns(), ran_ns = worked_ns - pace->worked_ns, looked_ns = pace->spun_ns - pace->looked_ns;
    uint64_t work_ns = ran_ns > looked_ns ? ran_ns - looked_ns : 0;
    uint32_t busy = (uint32_t)(work_ns * 100 / pace->passed_ns);
    uint32_t wanted = busy <= BUSY_FROM ? 0 : busy >= BUSY_FULL ? 100 : (busy - BUSY_FROM) * 100 / (BUSY_FULL - BUSY_FROM);
    uint64_t answer_us = pace->events ? sessions * (pace->passed_ns / 1000) / pace->events : 0;
    uint64_t gather_us = answer_us / ANSWER_SHARE < GATHER_US ? answer_us / ANSWER_SHARE : GATHER_US;
    uint64_t events;

    pace->share = (pace->share + wanted + (wanted > pace->share)) / 2; /* gathering makes it less busy, which would end it at once */
    gather_us = gather_us * pace->share / 100;
    events = pace->events * gather_us * 1000 / pace->passed_ns * 7 / 8;
    pace->gather_us = (uint32_t)gather_us;
    pace->gather_events = events < GATHER_EVENTS_MIN ? 0 : events > GATHER_EVENTS_MAX ? GATHER_EVENTS_MAX : (uint32_t)events;
    if (pace->gather_events == 0)
        pace_trial_stop(&pace->trial);
    else if (!pace_trial_next(&pace->trial, work_ns, pace->events, busy))
        pace->gather_events = 0;
    if (pace->small_messages * (uint64_t)1000000000 / pace->passed_ns >= CHATTY_PER_S)
        pace->chatty_until_ns = pace->ended_ns + CHATTY_NS; /* they come in bursts */
    pace->chatty = pace->ended_ns < pace->chatty_until_ns;
    pace->streams = pace->stream_turns > 0 && pace->stream_turns * 2 >= pace->events && pace->passed_ns < PAUSE_NS;
    pace->small_messages = 0;
    pace->stream_turns = 0;
    pace->worked_ns = worked_ns;
    pace->looked_ns = pace->spun_ns;
    pace->passed_ns = 0;
    pace->events = 0;
}

void pace_received(struct pace *pace, bool small, bool *last_small)
{
    pace->small_messages += small && *last_small;
    *last_small = small;
}

static void learn_gather(struct pace *pace, const struct io *io, uint32_t sessions)
{
    pace->passed_ns += pace->ended_ns ? io->now_ns - pace->ended_ns : 0;
    pace->ended_ns = io->now_ns;
    pace->events += io->events;
    if (pace->passed_ns >= (uint64_t)MEASURE_US * 1000)
        decide(pace, sessions);
}

void pace_learn(struct pace *pace, const struct io *io, uint32_t sessions)
{
    if (pace->spin_us > 0)
        learn_spin(pace, io);
    learn_gather(pace, io, sessions);
}
