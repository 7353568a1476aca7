/* select/turns.h: which of several weighted participants is next: earliest deadline first.
 *
 * The k-th turn (from 0) of a participant of weight w is due at (k + 1/2) / w. The turn that is due earliest is next; of equal ones, that of the lower index.
 * The order of any two participants depends only on their own weights. One thread; no shared state. */
#ifndef SELECT_TURNS_H
#define SELECT_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct turns;

/* Makes the state for `count` participants, at least 1. Each weight is at least 1, and at most 2^32 / the number of turns that its participant will take.
 * Returns NULL if out of memory. */
struct turns *turns_new(const uint32_t *weights, uint32_t count);
void turns_free(struct turns *turns); /* NULL is allowed */

/* Returns the participant that is next, among those that do not rest. There must be one. O(1). */
uint32_t turns_next(const struct turns *turns);

/* turns_take() notes that participant `i` has had a turn. If `rest` is set, it is skipped until turns_wake(). O(log count). */
void turns_take(struct turns *turns, uint32_t i, bool rest);
void turns_wake(struct turns *turns, uint32_t i);

#endif
