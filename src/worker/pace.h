/* worker/pace.h: how a worker spends the time until its next event: asleep, looking, or letting streams fill their sockets. The worker's thread.
 *
 * When a worker has little to do but the next event is always near (one client that asks and waits), sleeping is what costs the most time; with `busy_poll` it
 * looks for a while before it sleeps. When it moves streams and little else, it gives them time to fill their sockets: fewer and larger pieces cost less, and
 * nobody waits for one. */
#ifndef WORKER_PACE_H
#define WORKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct io;

struct pace {
    /* Spinning. */
    uint32_t spin_us;         /* longest time to look before sleeping; 0: never */
    bool adaptive;            /* look only while that is often enough not in vain */
    uint64_t credit_ns;       /* adaptive: what may still be looked in vain */
    uint64_t spun_ns;         /* in all */
    uint64_t spins, spins_met; /* times it looked, and times it did not have to sleep then */

    /* The kind of traffic. */
    uint64_t ended_ns;        /* when the last wait ended; 0: none has */
    uint64_t passed_ns;       /* since the current measurement began */
    uint32_t events;
    uint32_t small_messages;  /* that followed others */
    bool chatty;              /* many of them do, or did a moment ago */
    uint64_t chatty_until_ns;
    uint32_t stream_turns;    /* events that moved a stream on: counted by the relay */
    bool streams;             /* most events did */
};

/* `busy_poll_us` as configured: 0 off, UINT32_MAX auto. */
void pace_init(struct pace *pace, uint32_t busy_poll_us);

/* Before a wait: tells the engine how. */
void pace_choose(struct pace *pace, struct io *io);

/* After it: learns from how long it took and what it brought. */
void pace_learn(struct pace *pace, const struct io *io);

/* Bytes have come in a session: a small message, or part of a large one. A small one is one of many when it follows another; what asks for a large transfer,
 * or ends one, is not. `*last_small` is the session's, false at first. */
void pace_received(struct pace *pace, bool small, bool *last_small);

#endif
