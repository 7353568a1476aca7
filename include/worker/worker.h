/* worker/worker.h: the data-path threads, as control sees them. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

struct counters;
struct epoch;
struct intake;
struct limit;
struct listener;
struct mailbox;
struct session;
struct shortage;
struct table;
struct worker;

/* A listening socket for one worker: bound, non-blocking; control makes it listen before worker_accept(). */
struct worker_socket {
    struct listener *listener; /* the live object that it accepts for */
    int fd;
    bool has_congestion; /* a congestion control of its own, which its clients inherit */
    bool is_unix;
};

/* What all workers share; outlives them. */
struct worker_shared {
    const struct io_choice *engine;
    struct table *table;
    struct epoch *epoch;
    struct counters *counters;      /* one per worker */
    struct intake *intakes;         /* one per worker */
    struct mailbox *mailboxes;      /* one per worker */
    struct limit *connections;      /* of the process */
    struct shortage *shortage;      /* of descriptors or memory for the backends of sessions */
    unsigned workers;
    uint32_t sessions_max;          /* of one worker: all of them may land on it */
    uint32_t pipes_max;             /* of one worker, for splicing */
    uint32_t busy_poll_us;          /* longest time a worker looks for events before it sleeps; 0: off; UINT32_MAX: as it sees fit */
    const char *loopback_congestion; /* as congestion_on_loopback() has said */
    uint16_t outgoing_port_min;     /* where the kernel's range for outgoing connections begins */
    struct mailbox *control;        /* takes notices (table/notice.h), with room for one of each worker beside any others */
    void (*relaying)(struct session *session); /* called when a session begins to relay, before any byte: where tests install taps; NULL: not */
};

struct worker_options {
    const struct worker_shared *shared;
    unsigned index;
    int cpu;                        /* to run on; -1: any */
    const struct worker_socket *sockets; /* the worker's from now on; after a failure they go with the process. The array is only read during the call */
    size_t socket_count;
};

/* One mailbox per worker: messages, and a descriptor each. NULL: out of either. Control, before the first worker starts. */
struct mailbox *worker_mailboxes_new(unsigned workers);
/* Tells a worker that a place is free in a limit at which its client is next: the `tell` of struct limit_workers. `mailboxes` are all workers'. Any thread. */
void worker_tell_of_place(void *mailboxes, unsigned worker);
/* After the last worker ended; closes descriptors that are still in them. NULL is allowed. Control. */
void worker_mailboxes_free(struct mailbox *mailboxes, unsigned workers);

/* Starts the thread (every signal blocked) and waits until its engine runs. NULL and `*error` a negative errno. Control only. */
struct worker *worker_start(const struct worker_options *options, int *error);

/* Lets a worker accept: its sockets listen. Until then it does not touch them. Once. Control only. */
void worker_accept(struct worker *worker);

/* Tells a worker that the process was stopped and goes on. Control only. */
void worker_continued(struct worker *worker);

/* Asks a worker to stop accepting, once what is in its listeners' queues is accepted, and to end when its last session has; `now` closes the sessions that are
 * left. Control only; both may be repeated, and do nothing to a worker that has ended. */
void worker_drain(struct worker *worker);
void worker_stop_now(struct worker *worker);

/* Joins a worker that was asked to end, and frees it. NULL is allowed. Control only. */
void worker_join(struct worker *worker);

#endif
