/* worker/pace_trial.h: finds out whether letting events gather saves CPU time on this machine, with this traffic. The worker's thread.
 *
 * What a wake-up costs differs tenfold between machines, and where it is cheap, gathering costs latency for nothing. So now and then a busy worker gathers in
 * every other of its windows of measurement, and compares what an event costs in each with the one before it. The median of such pairs counts, since a stall
 * of the host lands in one window and not in its neighbour. */
#ifndef WORKER_PACE_TRIAL_H
#define WORKER_PACE_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_TRIAL_PAIRS 16

struct pace_trial {
    bool running;
    uint32_t windows;   /* of the running trial, that are over; otherwise left until the next one */
    bool worth;         /* gathering saves enough */
    uint32_t cost;      /* of an event that was let gather, in per cent of one that was not, of the last trials; 0: none has ended */
    uint32_t full;      /* windows without gathering in which the worker had no time left */
    uint64_t plain_ns;  /* CPU time of an event in the last window without gathering */
    uint32_t costs[PACE_TRIAL_PAIRS];
};

/* A window is over in which events cost so much CPU time, and which was `busy` per cent of the time. True: let them gather in the next one, which will be about
 * as busy. All zero is the state of one that has not begun. */
bool pace_trial_next(struct pace_trial *trial, uint64_t worked_ns, uint32_t events, uint32_t busy);

/* The last window was not one for gathering: a trial that runs is given up, the next comes later. */
void pace_trial_stop(struct pace_trial *trial);

#endif
