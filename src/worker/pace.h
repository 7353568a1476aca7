/* worker/pace.h: how a worker spends the time until its next event: asleep, looking, or letting events gather. The worker's thread.
 *
 * A wake-up can cost more than a small message. When a worker has much to do, its sessions answer slowly enough for it not to matter, and it has found that this
 * saves CPU time (pace_trial.h), it therefore sleeps until several events have come, or a moment has passed. When it has little to do but the next event is
 * always near (one client that asks and waits), sleeping is what costs the most time; with `busy_poll` it looks for a while before it sleeps. When it moves
 * streams and little else, it gives them time to fill their sockets: fewer and larger pieces cost less, and nobody waits for one. */
#ifndef WORKER_PACE_H
#define WORKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/pace_trial.h"

struct io;

struct pace {
    /* Spinning. */
    uint32_t spin_us;         /* longest time to look before sleeping; 0: never */
    bool adaptive;            /* look only while that is often enough not in vain */
    uint64_t credit_ns;       /* adaptive: what may still be looked in vain */
    uint64_t spun_ns;         /* in all */
    uint64_t spins, spins_met; /* times it looked, and times it did not have to sleep then */

    /* Gathering. */
    uint64_t ended_ns;        /* when the last wait ended; 0: none has */
    uint64_t (*thread_ns)(void); /* the clock of the next; a test has its own */
    uint64_t worked_ns;       /* CPU time of the thread when the current measurement began, */
    uint64_t looked_ns;       /* and spun_ns: what it spins away is no work */
    uint64_t passed_ns;       /* time since then */
    uint32_t events;
    uint32_t small_messages;  /* that followed others */
    bool chatty;              /* many of them do, or did a moment ago */
    uint64_t chatty_until_ns;
    uint32_t stream_turns;    /* events that moved a stream on: counted by the relay */
    bool streams;             /* most events did */
    uint32_t share;           /* of the time that events may be made to wait, in per cent */
    uint32_t gather_us, gather_events; /* what came of the last one; 0: do not */
    struct pace_trial trial;  /* whether it saves anything */
};

/* `busy_poll_us` as configured: 0 off, UINT32_MAX auto. */
void pace_init(struct pace *pace, uint32_t busy_poll_us);

/* Before a wait: tells the engine how. `sessions` are those the worker has. */
void pace_choose(struct pace *pace, struct io *io, uint32_t sessions);

/* After it: learns from how long it took and what it brought. */
void pace_learn(struct pace *pace, const struct io *io, uint32_t sessions);

/* Bytes have come in a session: a small message, or part of a large one. A small one is one of many when it follows another; what asks for a large transfer,
 * or ends one, is not. `*last_small` is the session's, false at first. */
void pace_received(struct pace *pace, bool small, bool *last_small);

#endif
