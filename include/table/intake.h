/* table/intake.h: connections on their way to a worker, and whether it takes any more: what lets a worker end without missing one that is being handed over.
 *
 * One per worker. Writers: every worker. A connection is counted before it is posted and until the receiver has made it a session of its own; the receiver
 * closes the intake when it begins to drain, and has ended when nothing is on its way any more. Release and acquire: whoever finds it ended sees all that was
 * done with the connections before. */
#ifndef TABLE_INTAKE_H
#define TABLE_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct intake {
    _Alignas(64) _Atomic uint32_t state; /* how many are on their way, and a bit for "closed" */
};

/* An array, open and empty. NULL: out of memory. Control, before the first worker starts and after the last has ended. */
struct intake *intake_new(unsigned workers);
void intake_free(struct intake *intakes);

/* Counts a connection that is about to be posted. False: closed, and nothing was counted. Any worker. */
bool intake_enter(struct intake *intake);

/* The connection has become a session, or could not be posted. True: the intake is closed and nothing is on its way any more, which its worker may not have
 * noticed: whoever is not that worker must wake it. Any worker. */
bool intake_leave(struct intake *intake);

/* Nothing enters any more. Its own worker; once. */
void intake_close(struct intake *intake);

/* Any worker; may be true no longer, or be no longer false, at once. */
bool intake_closed(const struct intake *intake);

/* Closed, and nothing is on its way. Its own worker. */
bool intake_ended(const struct intake *intake);

#endif
