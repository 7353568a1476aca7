/* select/sequence.h: a weighted round as an array. Pure function of the weights; health or control. */
#ifndef SELECT_SEQUENCE_H
#define SELECT_SEQUENCE_H

#include <stdint.h>

#include "table/snapshot.h"

/* Maximum number of places in a sequence, unless there are more backends. */
#define SEQUENCE_MAX (UINT32_C(1) << 20)

/* A round of at most this many places is never scaled. */
#define SEQUENCE_EXACT (UINT32_C(1) << 16)

/* Fills pool->sequence and sequence_count with one round: each backend of `usable` (at least one) as often as its weight, all weights divided by their greatest
 * common divisor. Read as a circle, no backend follows itself if that can be avoided, that is if the heaviest has at most half of the places; otherwise as
 * rarely as possible. A round is scaled down in proportion, rounded, but to no less than one place for each backend, if it has more than SEQUENCE_MAX places,
 * or if it has more than SEQUENCE_EXACT and is only that long because a weight is no whole number. O(total log count). Returns 0 or -ENOMEM. */
int sequence_build(struct snapshot_pool *pool);

#endif
