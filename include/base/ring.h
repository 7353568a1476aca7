/* base/ring.h: a bounded queue of fixed-size records, many producers, many consumers, lock-free.
 *
 * The algorithm is Dmitry Vyukov's bounded MPMC queue (1024cores.net, "Bounded MPMC queue"): each cell has a sequence
 * number that says whose turn it is. If a producer is descheduled between claiming and publishing its cell, it delays
 * only the consumer at that cell. Memory is reserved once; the system provides it as cells are first used. Any
 * thread may push and pop. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* `capacity` is a power of two, at least 2. Records are copied in and out. Returns NULL if out of memory. */
struct ring *ring_new(size_t capacity, size_t record_bytes);
void ring_free(struct ring *ring); /* accepts NULL; no thread may use the ring any more */

/* Copies a record in. Returns false, without any effect, if the ring is full. */
bool ring_push(struct ring *ring, const void *record);
/* Copies the oldest record out. Returns false if the ring is empty. */
bool ring_pop(struct ring *ring, void *record);

#endif
