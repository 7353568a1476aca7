/* worker/pace_trial.c: is it worth letting events gather? The worker's thread; owns nothing. */
#include "worker/pace_trial.h"

enum {
    REST_WINDOWS = 512, /* between trials: some two seconds */
    WORTH_COST = 94,    /* per cent; what saves less is not worth the latency, */
    WORTH_FULL = 98,    /* unless the worker has no time left: then all that it saves is throughput */
    FULL_BUSY = 95,
    COST_MAX = 1000,
};

/* The lower of the two in the middle. Puts them in order. */
static uint32_t median(uint32_t *values, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t value = values[i], at = i;

        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return values[(count - 1) / 2];
}

static void rest(struct pace_trial *trial)
{
    trial->running = false;
    trial->windows = REST_WINDOWS;
}

static void end_of_trial(struct pace_trial *trial)
{
    uint32_t cost = median(trial->costs, PACE_TRIAL_PAIRS);

    trial->cost = trial->cost ? (trial->cost + cost) / 2 : cost;
    trial->worth = trial->cost <= (trial->full > PACE_TRIAL_PAIRS / 2 ? WORTH_FULL : WORTH_COST);
    rest(trial);
}

static void end_of_window(struct pace_trial *trial, uint64_t event_ns, uint32_t busy)
{
    uint32_t window = trial->windows++;
    uint64_t cost;

    if (window % 2 == 0) {
        trial->plain_ns = event_ns;
        trial->full += busy >= FULL_BUSY;
        return;
    }
    cost = event_ns * 100 / trial->plain_ns;
    trial->costs[window / 2] = cost < COST_MAX ? (uint32_t)cost : COST_MAX;
    if (trial->windows == 2 * PACE_TRIAL_PAIRS)
        end_of_trial(trial);
}

bool pace_trial_next(struct pace_trial *trial, uint64_t worked_ns, uint32_t events, uint32_t busy)
{
    if (trial->running) {
        end_of_window(trial, worked_ns / (events ? events : 1) + 1, busy); /* never 0 */
    } else if (trial->windows > 0) {
        trial->windows--;
    } else {
        trial->running = true;
        trial->full = 0;
    }
    return trial->running ? trial->windows % 2 == 1 : trial->worth;
}

void pace_trial_stop(struct pace_trial *trial)
{
    if (trial->running) /* it may well have been what ended this: not again at once */
        rest(trial);
}
