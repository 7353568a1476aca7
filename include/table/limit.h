/* table/limit.h: a bound on how many of something there may be over all workers (connections of a listener, of the process), and who is next when it is reached.
 *
 * The count never exceeds the maximum. A worker that is refused a place publishes since when its client has been waiting, and then tries again. From then on the
 * place that becomes free goes to the worker whose client waits longest: nobody else is given it. No place is reserved: whenever one becomes free, the worker that
 * is next is told, and tries again. While a place is free and somebody waits, the worker that is next has been told or is about to try; see table/limit.c for why.
 *
 * Writers and readers: every worker; limit_set_max(): whoever changes settings. The operations are sequentially consistent, so that whoever reads that none is used
 * may free what the limit belongs to, when the workers that gave the last ones back have passed a quiescent point. */
#ifndef TABLE_LIMIT_H
#define TABLE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Set in a time since when a client waits: not measured but placed among the others. Such times are not passed on by limit_oldest_measured(). */
#define LIMIT_PLACED UINT64_C(1)

/* Those who may wait. Immutable; outlives the limits. */
struct limit_workers {
    unsigned count;
    void (*tell)(void *context, unsigned worker); /* tries limit_take() soon for its client that waits longest. Called in any thread, also in that worker's own */
    void *context;
};

struct limit {
    _Alignas(64) _Atomic uint32_t used;
    _Atomic uint32_t max;         /* UINT32_MAX: no bound */
    _Atomic uint32_t waiting;     /* workers whose time is not 0 */
    const struct limit_workers *workers; /* immutable; NULL: nobody waits */
    _Atomic uint64_t *since_ns;   /* one per worker, written by that worker: since when its client waits, by the workers' clock; 0: it has none */
};

/* Nobody waits. Before any other thread sees it. */
void limit_init(struct limit *limit, uint32_t max);
/* Workers may wait: 0 or -ENOMEM. Likewise. */
int limit_let_wait(struct limit *limit, const struct limit_workers *workers);
/* Safe on all zero and twice. Nobody may use it any more. */
void limit_deinit(struct limit *limit);

/* Takes a place for a client that has waited since `since_ns`; false: none is free, or a client has waited for it longer. Any worker. */
bool limit_take(struct limit *limit, uint64_t since_ns);

/* Whether limit_take() would succeed now. Any worker. */
bool limit_would_take(const struct limit *limit, uint64_t since_ns);

/* Gives a place back, and tells who is next. Asserts that one was taken. Any worker. */
void limit_give(struct limit *limit);

/* Publishes since when a client of this worker has waited for a place, the one that has waited longest; 0 withdraws it. After publishing one the worker tries
 * limit_take() once more. Tells who is next, if that may be another one now. The worker itself. */
void limit_wait(struct limit *limit, unsigned worker, uint64_t since_ns);

/* The longest wait's beginning, of those that were measured; 0: there is none. Any worker. */
uint64_t limit_oldest_measured(const struct limit *limit);

/* Changes the maximum, and tells who is next. Where more are in use than that, none is taken until enough were given back. Any thread. */
void limit_set_max(struct limit *limit, uint32_t max);

uint32_t limit_max(const struct limit *limit);
uint32_t limit_used(const struct limit *limit);

#endif
