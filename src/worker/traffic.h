/* worker/traffic.h: which kind of traffic a worker relays: many small messages, streams, or neither. The worker's thread.
 *
 *   Input: when each wait ended and how many events it returned; for each session, whether it received a small message (below 4 KiB); from the relay, how many
 *   events moved a stream. A stream is a direction that has taken 256 KiB since bytes last came the other way.
 *   Output: `chatty`, which makes relay.c copy bulk data so that small messages pass between its pieces; `streams`, which makes worker/waiting.c leave the
 *   sockets time to fill.
 *
 * Both are decided once per window. A window is the shortest run of turns that lasts at least 4 ms:
 *
 *     chatty  = at least 2,000 small messages per second that followed a small one in the same session, in this window or in one of the last 200 ms
 *     streams = at least one stream turn, stream turns are at least half of the events, and the window lasted less than 20 ms
 *
 *   Example: a window of 5 ms has 40 events. 12 are small messages that followed a small one, and 24 moved a stream. 12 in 5 ms are 2,400 per second: chatty,
 *   for at least 200 ms. 24 of 40: streams as well.
 *   Constants: 4 ms contain some hundred events of a busy worker, and are short compared to what a user notices. A small message counts only after another
 *   one, because a request that is answered by a large transfer is not chat: row fetch costs 1.67 times the CPU time per byte without that rule (measured
 *   beside other work). Small messages come in bursts some 10 ms apart; 200 ms outlast the gaps. A window of 20 ms contains a pause: its streams have ended or
 *   are slow.
 *   Saves: row mixed, where p50 of the small messages is 6.2 times as long without `chatty`; for `streams` see worker/waiting.h. */
#ifndef WORKER_TRAFFIC_H
#define WORKER_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

struct io;

struct traffic {
    bool chatty;              /* many small messages pass, or did so in the last 200 ms */
    bool streams;             /* at least half of the events of the last window moved a stream */
    uint32_t stream_turns;    /* number of events in the present window that moved a stream; counted by the relay */

    /* The present window. */
    uint64_t ended_ns;        /* when the last wait ended; 0: none has ended */
    uint64_t window_ns;       /* duration of the window so far */
    uint32_t events;          /* number of events in the window */
    uint32_t small_messages;  /* number of small messages in the window that followed another one of their session */
    uint64_t chatty_until_ns; /* `chatty` stays set until this time */
};

/* Updates the state. Call it after each wait. All zero is the state of a worker that has not waited yet. */
void traffic_learn(struct traffic *traffic, const struct io *io);

/* Notes that bytes have arrived in a session: a small message, or part of a large one. `*last_small` is a field of the session: whether its last message was
 * small. It starts as false. */
void traffic_received(struct traffic *traffic, bool small, bool *last_small);

#endif
