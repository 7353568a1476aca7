/* table/intake.h: counts the connections that are being handed over to a worker, so that the worker does not end while one is on its way.
 *
 * One per worker. Writers: every worker. A connection is counted from before it is posted until the receiver has made it a session. The receiver closes its
 * intake when it starts to drain. The intake has ended when it is closed and its count is zero. Release and acquire order: a thread that finds it ended sees
 * everything that was done with the connections before. */
#ifndef TABLE_INTAKE_H
#define TABLE_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct intake {
    _Alignas(64) _Atomic uint32_t state; /* number of connections on their way, and a bit for "closed" */
};

/* An array of open and empty intakes. NULL: out of memory. Control, before the first worker starts and after the last has ended. */
struct intake *intake_new(unsigned workers);
void intake_free(struct intake *intakes);

/* Counts a connection that is about to be posted. Returns false, and counts nothing, if the intake is closed. Any worker. */
bool intake_enter(struct intake *intake);

/* The connection has become a session, or could not be posted. Returns true if the intake has ended by this. Its worker may not have noticed that: any other
 * worker must wake it. Any worker. */
bool intake_leave(struct intake *intake);

/* Closes the intake: no more connections are counted. Its own worker; once. */
void intake_close(struct intake *intake);

/* Whether it is closed. The result may be out of date at once. Any worker. */
bool intake_closed(const struct intake *intake);

/* Whether it is closed and no connection is on its way. Its own worker. */
bool intake_ended(const struct intake *intake);

#endif
