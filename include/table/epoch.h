/* table/epoch.h: quiescent-state-based reclamation (QSBR): the writer finds out when no reader can still hold a retired pointer.
 *
 * Each reader (worker) has a cache line that only it writes. All accesses are C11 atomics with explicit orders and without stand-alone fences, so that
 * ThreadSanitizer understands them. A reader is offline until its first epoch_online(). */
#ifndef TABLE_EPOCH_H
#define TABLE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

struct epoch;

struct epoch *epoch_new(unsigned readers); /* NULL: out of memory */
void epoch_free(struct epoch *epoch);      /* NULL is allowed */

/* A reader that was offline may hold shared pointers from now on. */
void epoch_online(struct epoch *epoch, unsigned reader);
/* An online reader holds no shared pointer at this moment. Once per turn of its loop. */
void epoch_pass(struct epoch *epoch, unsigned reader);
/* A reader holds no shared pointer, and is about to block or to end. Has no effect if it is offline. */
void epoch_offline(struct epoch *epoch, unsigned reader);

/* Starts a new epoch after a pointer was replaced. Returns the ticket for epoch_reached(). Writer. */
uint64_t epoch_advance(struct epoch *epoch);
/* Whether every reader is offline or has passed a quiescent point since `ticket` was issued. Writer. */
bool epoch_reached(const struct epoch *epoch, uint64_t ticket);

#endif
