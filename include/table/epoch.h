/* table/epoch.h: quiescent-state-based reclamation (QSBR): tells the writer when no reader can still hold a retired
 * pointer.
 *
 * Each reader (worker) has a cache line of its own, written by it alone. C11 atomics with explicit orders and no
 * stand-alone fences, so that ThreadSanitizer understands it. A reader is offline until its first epoch_online(). */
#ifndef TABLE_EPOCH_H
#define TABLE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

struct epoch;

struct epoch *epoch_new(unsigned readers); /* NULL: out of memory */
void epoch_free(struct epoch *epoch);      /* NULL is allowed */

/* Reader, offline until now: from here on it may hold shared pointers. */
void epoch_online(struct epoch *epoch, unsigned reader);
/* Reader, online: holds nothing at this moment; once per loop turn. */
void epoch_pass(struct epoch *epoch, unsigned reader);
/* Reader: holds nothing and is about to block or to end. Harmless when offline already. */
void epoch_offline(struct epoch *epoch, unsigned reader);

/* Writer: begins a new epoch after a pointer was swapped; returns the ticket to give to epoch_reached(). */
uint64_t epoch_advance(struct epoch *epoch);
/* Writer: every reader is offline or has passed a quiescent point since `ticket` was issued. */
bool epoch_reached(const struct epoch *epoch, uint64_t ticket);

#endif
