/* table/counters.h: statistics of each worker that other threads read: open sessions, accepted clients, bytes, failures. No limit and no end depends on them.
 *
 * One cache-line-aligned block per worker. A worker that hands a connection over also increments `active` of the receiver, so that two workers do not both
 * consider it idle. Only the worker itself writes the other fields. Relaxed order throughout. */
#ifndef TABLE_COUNTERS_H
#define TABLE_COUNTERS_H

#include <stdint.h>

struct report_worker;

struct counters {
    _Alignas(64) _Atomic uint32_t active; /* sessions of this worker, and connections that are being handed over to it */
    _Alignas(64) _Atomic uint64_t accepted;
    _Atomic uint64_t handed_over;         /* accepted here and handed over to another worker */
    _Atomic uint64_t ended;
    _Atomic uint64_t failed;              /* sessions that ended without a connected backend */
    _Atomic uint64_t bytes[2];            /* from clients to backends, and from backends to clients; those of open sessions are as of the last flush */
    _Atomic uint64_t flushes;             /* how often the bytes of its open sessions and flows were counted (worker/flush.h) */
    _Atomic uint64_t cpu_ns;              /* CPU time of the thread, as of the last flush */
    _Atomic uint64_t flows;               /* UDP flows that were opened */
    _Atomic uint64_t flows_refused;       /* datagrams that needed a new flow and were dropped at a limit */
    _Atomic uint64_t datagrams[2];        /* relayed from clients to backends, and from backends to clients */
    _Atomic uint64_t datagrams_lost;      /* dropped for any reason */
};

struct counters *counters_new(unsigned workers); /* an array; NULL: out of memory */
void counters_free(struct counters *counters);

/* Adds `n`, which may be negative, to `active`. Returns the previous value. Any worker. */
uint32_t counters_active_add(struct counters *worker, int32_t n);
uint32_t counters_active(const struct counters *worker);

/* Adds to a field of the worker's own block, with a plain load and store instead of a locked instruction. */
void counters_add(_Atomic uint64_t *field, uint64_t n);
/* Replaces such a field. */
void counters_set(_Atomic uint64_t *field, uint64_t value);
uint64_t counters_read(const _Atomic uint64_t *field);

/* Copies a worker's block. Any thread. */
void counters_report(const struct counters *worker, struct report_worker *report);

#endif
