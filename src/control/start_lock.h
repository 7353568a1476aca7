/* control/start_lock.h: a lock that lets one Penstock at a time bind its addresses, in each network namespace. Control's thread.
 *
 * A start tries each address first, binds it, and calls listen() only when all threads run. In between, a second Penstock cannot see that the address
 * is taken, because a bound socket that does not listen conflicts with nobody. */
#ifndef CONTROL_START_LOCK_H
#define CONTROL_START_LOCK_H

/* Waits for the lock and returns a descriptor that holds it. Waits up to a minute while a process of root or of our own user holds it, and four seconds
 * for any other holder. After that, logs a warning and returns -1: the start goes on without the lock. */
int start_lock_take(void);

/* Releases the lock. Does nothing for -1. */
void start_lock_release(int fd);

#endif
