/* table/limit.h: a limit that is counted over all workers, such as the connections of a listener or of the process, and the order in which clients wait at it.
 *
 * The count never exceeds the maximum. A worker that is refused a place publishes since when its client has waited, and then tries again. From then on, a free
 * place goes only to the worker whose client has waited longest. No place is reserved for it: when a place becomes free, this worker is notified, and tries
 * again. As long as a place is free and a client waits, the worker that is next has been notified or is about to try; table/limit.c says why.
 *
 * Writers and readers: every worker; limit_set_max(): the publisher. All operations are sequentially consistent. If the count is read as zero, the object to
 * which the limit belongs may be freed after the workers that gave the last places back have passed a quiescent point. */
#ifndef TABLE_LIMIT_H
#define TABLE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* A bit in the time since when a client waits: the time was not measured, but chosen to place the client among others. limit_oldest_measured() ignores such
 * times. */
#define LIMIT_PLACED UINT64_C(1)

/* The workers that may wait. Immutable; outlives the limits. */
struct limit_workers {
    unsigned count;
    void (*tell)(void *context, unsigned worker); /* makes the worker call limit_take() soon for its client that has waited longest; called in any thread */
    void *context;
};

struct limit {
    _Alignas(64) _Atomic uint32_t used;
    _Atomic uint32_t max;         /* UINT32_MAX: no limit */
    _Atomic uint32_t waiting;     /* number of workers whose time is not 0 */
    bool of_flows;                /* immutable; it counts UDP flows, not connections (table/lease.h) */
    const struct limit_workers *workers; /* immutable; NULL: no worker may wait */
    _Atomic uint64_t *since_ns;   /* one per worker, written by that worker: since when its client has waited (clock_now_ns()); 0: no client waits */
};

/* Makes a limit of connections at which no worker may wait. Before any other thread sees it. The second function makes one of flows. */
void limit_init(struct limit *limit, uint32_t max);
void limit_init_flows(struct limit *limit, uint32_t max);
/* Allows workers to wait. Returns 0 or -ENOMEM. Before any other thread sees it. */
int limit_let_wait(struct limit *limit, const struct limit_workers *workers);
/* Frees what it holds. No thread may use it any more. Safe on all zero and twice. */
void limit_deinit(struct limit *limit);

/* Takes a place for a client that has waited since `since_ns`. Returns false if no place is free, or another client has waited longer. Any worker. */
bool limit_take(struct limit *limit, uint64_t since_ns);

/* Whether limit_take() would succeed now. Any worker. */
bool limit_would_take(const struct limit *limit, uint64_t since_ns);

/* Gives a place back, and notifies the worker that is next. Asserts that one was taken. Any worker. */
void limit_give(struct limit *limit);

/* Publishes since when the client of this worker that has waited longest has waited; 0 withdraws it. After publishing a time, the worker must try limit_take()
 * once more. Notifies the worker that is next if another one may be next now. Only the worker itself. */
void limit_wait(struct limit *limit, unsigned worker, uint64_t since_ns);

/* Returns the earliest published time that was measured; 0: there is none. Any worker. */
uint64_t limit_oldest_measured(const struct limit *limit);

/* Changes the maximum, and notifies the worker that is next. If more places are in use, none is taken until enough were given back. Any thread. */
void limit_set_max(struct limit *limit, uint32_t max);

uint32_t limit_max(const struct limit *limit);
uint32_t limit_used(const struct limit *limit);

#endif
