/* base/ring.h: a bounded queue of fixed-size records, many producers, many consumers, lock-free.
 *
 * The algorithm is Dmitry Vyukov's bounded MPMC queue (1024cores.net, "Bounded MPMC queue"): each cell has a sequence
 * number that says whose turn it is. A producer that is descheduled between claiming and publishing its cell delays
 * the consumer at that cell, no one else. Memory: reserved once, taken from the system as cells are first used. Any
 * thread may push and pop. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* `capacity` is a power of two, at least 2; records are copied in and out. NULL: out of memory. */
struct ring *ring_new(size_t capacity, size_t record_bytes);
void ring_free(struct ring *ring); /* NULL is allowed; nobody may use it any more */

/* Copies a record in; false: full, nothing was done. */
bool ring_push(struct ring *ring, const void *record);
/* Copies the oldest record out; false: empty. */
bool ring_pop(struct ring *ring, void *record);

#endif
