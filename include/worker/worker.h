/* worker/worker.h: the interface of the data-path threads for control. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"
#include "table/survey.h"

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

/* A listening or UDP socket of one worker: bound and non-blocking. Control calls listen(2) on it before worker_accept(). */
struct worker_socket {
    struct listener *listener; /* the live object whose clients it serves */
    struct addr addr;    /* to which it is bound */
    int fd;
    bool has_congestion; /* it has a congestion control of its own, which accepted sockets inherit */
    bool is_unix;
    bool is_udp;         /* listen(2) does not apply */
};

/* What the access log has of sessions and flows. */
struct worker_access {
    uint8_t sample_percent; /* of those that end normally */
    bool at_open;           /* a line when a backend is connected, or a flow begins */
    bool tcp_info;          /* round-trip time and retransmits of both sides */
    uint32_t every_ms;      /* a line after each interval in which a session stays open; 0: none */
};

/* What all workers share. It outlives them. */
struct worker_shared {
    const struct io_choice *engine;
    struct table *table;
    struct epoch *epoch;
    struct counters *counters;      /* one per worker */
    struct intake *intakes;         /* one per worker */
    struct mailbox *mailboxes;      /* one per worker */
    struct limit *connections;      /* of the process */
    struct limit *flows;            /* of the process; made by limit_init_flows() */
    struct shortage *shortage;      /* notes when a session lacked descriptors or memory for its backend */
    unsigned workers;
    uint32_t sessions_max;          /* per worker: all connections of the process may belong to one worker */
    uint32_t pipes_max;             /* per worker, for splicing */
    uint32_t busy_poll_us;          /* how long a worker busy-polls before it sleeps; 0: never; UINT32_MAX: adaptive (worker/waiting.h) */
    struct worker_access access;
    const char *loopback_congestion; /* result of congestion_on_loopback() */
    uint16_t outgoing_port_min;     /* lowest port of net.ipv4.ip_local_port_range */
    void (*tell_of_failure)(void *health); /* called after the first failure of a pool's backends since the publisher took the alarm. NULL: none */
    void *health;                   /* for tell_of_failure() */
    struct mailbox *control;        /* control's mailbox for notices (table/notice.h); it always has room for one notice of each worker */
    void (*relaying)(struct session *session); /* called when a session starts to relay, before any byte moves; tests install taps here. NULL: none */
};

struct worker_options {
    const struct worker_shared *shared;
    unsigned index;
    int cpu;                        /* the CPU to run on; -1: any */
    const struct worker_socket *sockets; /* the worker owns the sockets from now on, also after a failure. The array is read only during the call */
    size_t socket_count;
};

/* Makes one mailbox per worker. NULL: no memory or descriptors. Control, before the first worker starts. */
struct mailbox *worker_mailboxes_new(unsigned workers);
/* Notifies a worker that a place is free at a limit where its client is next: the `tell` function of struct limit_workers. `mailboxes` are those of all
 * workers. Any thread. */
void worker_tell_of_place(void *mailboxes, unsigned worker);
/* Orders a worker to close the sessions of backends whose backend_eviction() says so: the `evict` function of struct health_workers. Any thread. */
void worker_order_evictions(void *mailboxes, unsigned worker);
/* Orders a worker to count the bytes of its open sessions and flows. Any thread. */
void worker_order_flush(void *mailboxes, unsigned worker);
/* Orders all workers to do so, and waits until they have, but no longer than until `deadline_ns` (clock_now_ns()). A worker that just ends a count may answer
 * with that one. Any thread that may wait. */
void worker_flush(const struct worker_shared *shared, uint64_t deadline_ns);
/* Lists or closes sessions or flows of all workers: puts the query to them and waits until they have answered, or until `deadline_ns` (clock_now_ns()). A
 * worker that has not answered by then still closes its sessions, but they are not counted. Returns 0, and the caller has to free `*survey`; or, without rows,
 * -EBUSY (a worker has too many queries at a time) or -ENOMEM. Any thread but a worker. */
int worker_survey(const struct worker_shared *shared, const struct survey_query *query, enum survey_action action, uint64_t deadline_ns,
                  struct survey *survey);
/* Frees the mailboxes and releases what is left in them, such as descriptors. After the last worker has ended. NULL is allowed. Control. */
void worker_mailboxes_free(struct mailbox *mailboxes, unsigned workers);

/* Starts the thread, with all signals blocked, and waits until its engine runs. On failure returns NULL and sets `*error` to a negative errno. Control only. */
struct worker *worker_start(const struct worker_options *options, int *error);

/* Orders a worker to accept: its sockets listen now. Before that it does not use them. Once. Control only. */
void worker_accept(struct worker *worker);

/* Notifies a worker that the process was stopped (SIGSTOP) and continues. Control only. */
void worker_continued(struct worker *worker);

/* Orders a worker to accept the clients in its accept queues, to stop accepting then, and to end after its last session. worker_stop_now() also ends all
 * sessions at once. Both may be repeated, and have no effect on a worker that has ended. Control only. */
void worker_drain(struct worker *worker);
void worker_stop_now(struct worker *worker);

/* Joins a worker that was ordered to end, and frees it. NULL is allowed. Control only. */
void worker_join(struct worker *worker);

#endif
