/* table/sources.h: how many flows each client address has, counted over all workers. Any worker; lock-free.
 *
 * Two rows of counters (a counting Bloom filter: Fan, Cao, Almeida, Broder, 2000). An address has one counter in each row, which it shares with other addresses
 * that have the same hash there. The lower of the two is never below the number of its flows. It is above only if both are shared; then a flow may be refused
 * although its source is below the limit. With 10,000 sources this concerns about one in 50. The memory does not depend on the number of sources. */
#ifndef TABLE_SOURCES_H
#define TABLE_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sources;

/* NULL: out of memory, or the kernel has no random numbers. */
struct sources *sources_new(void);
/* NULL is allowed. */
void sources_free(struct sources *sources);

/* The hash of a source's address for the functions below. It is the same in all workers, and nobody outside can predict it. */
uint32_t sources_hash(const struct sources *sources, const void *address, size_t bytes);

/* Counts a flow of the source with this hash, unless the source has `max` flows already, or several workers ask at the same moment and there is a place for
 * only some of them. Returns whether it was counted. Each true must be paired with one sources_give(). */
bool sources_take(struct sources *sources, uint32_t hash, uint32_t max);
void sources_give(struct sources *sources, uint32_t hash);

#endif
