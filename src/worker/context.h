/* worker/context.h: what a worker has. Private to src/worker; one per thread, used by that thread alone unless a field says otherwise. */
#ifndef WORKER_CONTEXT_H
#define WORKER_CONTEXT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slab.h"
#include "base/timer_wheel.h"
#include "io/io.h"
#include "worker/traffic.h"
#include "worker/waiting.h"
#include "worker/pipe_pool.h"
#include "worker/worker.h"

struct counters;
struct acceptor;
struct snapshot;

/* What log lines are about that could come too often. */
enum complaint { COMPLAINT_LACK, COMPLAINT_UNSERVED, COMPLAINTS };

struct worker {
    const struct worker_shared *shared; /* read-only, or thread-safe behind its pointers */
    unsigned index;
    int cpu;

    struct io *io;
    struct traffic traffic;
    struct waiting waiting;
    struct timer_wheel timers;
    const struct snapshot *snapshot; /* borrowed for this turn */
    uint64_t random;                 /* generator state */
    struct counters *counters;       /* ours */

    struct slab sessions_slab;
    struct list sessions;
    uint64_t session_number;         /* of the last one */
    struct pipe_pool pipes;

    struct acceptor *acceptors; /* its listening sockets */
    size_t acceptor_count;
    size_t acceptors_open;
    size_t accept_turn;              /* which acceptor is first when accepting resumes */
    bool admits;                     /* told that a place is free for one of its acceptors: tries before this turn ends, or the next */
    bool accept_paused;              /* for lack of descriptors or memory: every acceptor */
    struct timer accept_timer;       /* armed while they are paused, or drain: when to try again in any case */
    uint64_t handshakes_until_ms;    /* draining: until then those that had begun may end */
    uint64_t complained_ns[COMPLAINTS]; /* when last; 0: never */

    struct timer trim_timer;         /* armed while there is memory that nobody has needed for a while */

    struct io_sock mail;             /* the mailbox's eventfd */
    bool mail_open;
    bool accepting;                  /* was told to: its sockets listen */
    bool draining;
    bool stopping;                   /* no session may start any more */

    /* Life, shared with control. */
    pthread_t thread;
    sem_t started;                   /* posted once, after which start_error may be read */
    int start_error;
    const struct worker_socket *sockets; /* only during the start */
};


/* ---- the pieces of the thread's life; the simulation puts them together in its own way ---- */

struct io_options worker_io_options(const struct worker *worker);

/* Makes a worker, of which `shared`, `index`, `counters`, `random`, `sockets` and `acceptor_count` are set, ready to turn. The engine is the worker's now.
 * 0 or a negative errno: the process cannot go on. */
int worker_prepare(struct worker *worker, struct io *io);
/* Begins to watch the worker's mailbox. After worker_prepare(); 0 or a negative errno. */
int worker_open_mail(struct worker *worker);
/* Frees; everything was closed before. */
void worker_dismantle(struct worker *worker);

/* Once around: waits for events until the time is over (milliseconds; -1: no end), handles them, fires timers. 0, or a negative errno: the engine has failed. */
int worker_turn(struct worker *worker, int64_t timeout_ms);

/* Closes the listening sockets once what they hold is accepted. May be repeated. */
void worker_begin_drain(struct worker *worker);
/* The same, and ends every session. */
void worker_end_all(struct worker *worker);
/* Draining, and the last session has ended. */
bool worker_drained(const struct worker *worker);

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return worker->io->now_ns / 1000000;
}

/* True at most once a second for each kind. */
bool worker_may_complain(struct worker *worker, enum complaint about);

#endif
