/* worker/waiting.h: how a worker waits for its next event: it sleeps, it busy-polls, or it sleeps longer while streams fill their sockets. The worker's thread.
 *
 * Busy-polling (`busy_poll`). Waking up an idle CPU costs 10 to 100 us. If the next event is near, as with one client that sends a request and waits for the
 * reply, polling instead of sleeping saves that time. If it is far, polling wastes CPU time.
 *   Input: the duration of each wait, and whether it returned an event.
 *   State: a credit of 0 to 1 ms, which is the time that may still be polled in vain.
 *   Output: P, how long the next wait polls before it sleeps. With `auto`, P is 100 us while the credit is at least 100 us, and otherwise 0. A configured time
 *   is polled in every wait.
 *
 *     an event after t < P, whether polled for or not:  credit += t + 5 us
 *     a poll in vain:                                   credit -= P
 *
 * So the time polled in vain is at most the time of the waits that ended early, plus 5 us for each of them.
 *   Example: a reply every 30 us adds 35 us each. After three of them the credit is 105 us: the worker polls, and sees the next reply at once. The client
 *   pauses: after at most ten polls in vain, 1 ms in all, the worker sleeps again.
 *   Constants: 100 us is about the cost of waking up an idle virtual CPU; an event that comes later is not worth polling for. 1 ms is the price of a pause.
 *   The 5 us let events count that arrive at once.
 *   Saves: row latency-1, whose p50 is 1.38 times as long without it (bench/README).
 *
 * Batches for streams. A stream that is left alone for a moment fills its socket. It then moves in fewer and larger pieces, and nobody waits for a single
 * piece.
 *   Input: traffic.streams (traffic.h).
 *   Output: B, for how long a wait ignores events: 200 us. With a configured polling time it is 0, because that asks for low latency.
 *
 *     wake-ups per second <= 1 / B = 5,000; a stream of R bytes per second moves R * B bytes with each
 *
 *   Example: at 1 GB/s, 200 KB move with each wake-up. A wake-up for each arrival finds 64 KB or less.
 *   Constants: 100 us save about half as much; 300 us reduce the throughput up (bench/README).
 *   Saves: row bulk, which costs 1.64 times the CPU time per byte without it. */
#ifndef WORKER_WAITING_H
#define WORKER_WAITING_H

#include <stdbool.h>
#include <stdint.h>

struct io;

struct waiting {
    uint32_t busy_poll_us;    /* longest time to poll before sleeping; 0: never */
    bool adaptive;            /* poll only while the credit lasts */
    uint64_t credit_ns;       /* time that may still be polled in vain; at most 1 ms */
    uint64_t polled_ns;       /* total time spent busy-polling */
    uint64_t polls, polls_met; /* number of polls, and number of polls that found an event in time */
};

/* `busy_poll_us` is the configured value; 0: off; UINT32_MAX: auto. */
void waiting_init(struct waiting *waiting, uint32_t busy_poll_us);

/* Sets io->waiting for the next wait. `streams` is that of the worker's traffic. Call it before each wait. */
void waiting_choose(const struct waiting *waiting, bool streams, struct io *io);

/* Updates the credit and the statistics from the duration of the wait and its events. Call it after each wait. */
void waiting_learn(struct waiting *waiting, const struct io *io);

#endif
