/* table/limit.h: a bound on how many of something there may be over all workers (connections of a listener, of the process).
 *
 * Writers and readers: every worker. Never above the maximum; relaxed order: the count guards no other memory. */
#ifndef TABLE_LIMIT_H
#define TABLE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
    _Alignas(64) _Atomic uint32_t used;
    uint32_t max; /* immutable after limit_init(); UINT32_MAX: no bound */
};

/* Before any other thread sees it. */
void limit_init(struct limit *limit, uint32_t max);

/* Takes one; false: `max` are in use. Any worker. */
bool limit_take(struct limit *limit);

/* Gives one back. Asserts that one was taken. Any worker. */
void limit_give(struct limit *limit);

uint32_t limit_used(const struct limit *limit);

#endif
