/* worker/context.h: the state of a worker. Only src/worker includes it. Only the worker's own thread uses it, unless a field says otherwise. */
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
#include "worker/access_log.h"
#include "worker/pipe_pool.h"
#include "worker/survey.h"
#include "worker/traffic.h"
#include "worker/waiting.h"
#include "worker/walk.h"
#include "worker/worker.h"

struct counters;
struct acceptor;
struct snapshot;
struct udp;

/* Kinds of log lines that are limited to one per second. */
enum complaint { COMPLAINT_LACK, COMPLAINT_UNSERVED, COMPLAINT_UDP_REFUSED, COMPLAINTS };

struct worker {
    const struct worker_shared *shared; /* read-only; what its pointers lead to is thread-safe */
    unsigned index;
    int cpu;

    struct io *io;
    struct traffic traffic;
    struct waiting waiting;
    struct timer_wheel timers;
    const struct snapshot *snapshot; /* borrowed until the end of this turn */
    uint64_t random;                 /* generator state */
    struct counters *counters;       /* this worker's block */

    struct slab sessions_slab, replays_slab;
    struct list sessions;            /* the oldest first */
    struct list walks;               /* those that are under way */
    struct walk evictions;           /* worker/evict.h */
    struct walk session_flush, flow_flush; /* worker/flush.h */
    struct access_log access_log;
    struct survey_run surveys[SURVEYS_MAX]; /* queries that are being answered */
    uint64_t session_number;         /* number of the last session */
    struct pipe_pool pipes;

    struct acceptor *acceptors; /* its listening sockets */
    size_t acceptor_count;
    size_t acceptors_open;
    size_t accept_turn;              /* which acceptor is first when accepting resumes; counts up */
    bool admits;                     /* a place may be free for one of its acceptors: try before the end of this turn or of the next */
    bool accept_paused;              /* all acceptors pause for lack of descriptors or memory */
    struct timer accept_timer;       /* armed while they pause or drain: the next retry */
    uint64_t handshakes_until_ms;    /* while draining: handshakes that have begun may complete until this time */
    uint64_t complained_ns[COMPLAINTS]; /* time of the last line of each kind; 0: none */

    struct udp *udp;                 /* owned; NULL: the worker has no UDP sockets */

    struct timer trim_timer;         /* armed while there is unused memory to free */

    struct io_sock mail;             /* the mailbox's eventfd */
    bool mail_open;
    bool accepting;                  /* ORDER_ACCEPT has come: its sockets listen */
    bool draining;
    bool stopping;                   /* ORDER_STOP has come: no session may start */

    /* Shared with control. */
    pthread_t thread;
    sem_t started;                   /* posted once, after which start_error may be read */
    int start_error;
    const struct worker_socket *sockets; /* valid only during the start */
    size_t socket_count;
};


/* ---- the parts of the thread; the simulation combines them in its own way ---- */

struct io_options worker_io_options(const struct worker *worker);

/* Prepares a worker for its first turn. `shared`, `index`, `counters`, `random`, `sockets` and `socket_count` must be set. The worker takes the engine over.
 * Returns 0, or a negative errno, after which the process cannot continue. */
int worker_prepare(struct worker *worker, struct io *io);
/* Starts to poll the worker's mailbox. After worker_prepare(). Returns 0 or a negative errno. */
int worker_open_mail(struct worker *worker);
/* Frees the worker's resources. All sockets must have been closed. */
void worker_dismantle(struct worker *worker);

/* One turn: waits for events, at most `timeout_ms` (-1: no limit), dispatches them, and fires timers. Returns 0, or a negative errno if the engine has
 * failed. */
int worker_turn(struct worker *worker, int64_t timeout_ms);

/* Starts to drain: the listening sockets are closed after their queued clients are accepted. May be repeated. */
void worker_begin_drain(struct worker *worker);
/* Drains, and ends all sessions at once. */
void worker_end_all(struct worker *worker);
/* Whether the worker drains and its last session has ended. */
bool worker_drained(const struct worker *worker);

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return worker->io->now_ns / 1000000;
}

/* Returns true at most once per second for each kind. */
bool worker_may_complain(struct worker *worker, enum complaint about);

#endif
