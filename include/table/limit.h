/* table/limit.h: a bound on how many of something there may be over all workers (connections of a listener, of the process).
 *
 * Writers and readers: every worker. Never raised above the maximum. Giving back has release order and reading acquire, so that whoever reads zero may free what the
 * limit belongs to. */
#ifndef TABLE_LIMIT_H
#define TABLE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
    _Alignas(64) _Atomic uint32_t used;
    _Atomic uint32_t max; /* UINT32_MAX: no bound */
};

/* Before any other thread sees it. */
void limit_init(struct limit *limit, uint32_t max);

/* Changes the maximum. Where more are in use than that, none is taken until enough were given back. Any thread. */
void limit_set_max(struct limit *limit, uint32_t max);
uint32_t limit_max(const struct limit *limit);

/* Takes one; false: the maximum is in use. Any worker. */
bool limit_take(struct limit *limit);

/* Gives one back. Asserts that one was taken. Any worker. */
void limit_give(struct limit *limit);

uint32_t limit_used(const struct limit *limit);

#endif
