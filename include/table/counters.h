/* table/counters.h: per-worker numbers that other threads read: sessions open, accepted, bytes, errors. Nothing waits on them or is limited by them.
 *
 * One cache-line-aligned block per worker. `active` is also added to by a worker that hands a connection over (so that two
 * hand-overs at once do not both think the target idle); all else is written by its worker alone. Relaxed order throughout. */
#ifndef TABLE_COUNTERS_H
#define TABLE_COUNTERS_H

#include <stdint.h>

struct counters {
    _Alignas(64) _Atomic uint32_t active; /* sessions open on, or on their way to, this worker */
    _Alignas(64) _Atomic uint64_t accepted;
    _Atomic uint64_t handed_over;         /* accepted here, given to another worker */
    _Atomic uint64_t ended;
    _Atomic uint64_t failed;              /* ended without ever reaching a backend */
    _Atomic uint64_t bytes[2];            /* client to backend, backend to client */
};

struct counters *counters_new(unsigned workers); /* an array; NULL: out of memory */
void counters_free(struct counters *counters);

/* Adds to (or, negative, takes from) `active` and returns the value before. Any worker. */
uint32_t counters_active_add(struct counters *worker, int32_t n);
uint32_t counters_active(const struct counters *worker);

/* Adds to a field of one's own block: a plain load and store, no locked instruction. */
void counters_add(_Atomic uint64_t *field, uint64_t n);
uint64_t counters_read(const _Atomic uint64_t *field);

#endif
