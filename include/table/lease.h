/* table/lease.h: what one session holds: a place of its listener, one of the process, its use of the pool, and a slot on its backend.
 *
 * Taken in two steps, for the client and for the backend, and given back by lease_give(): the only function through which a place, a pool or a slot becomes
 * free. The lease is its session's; the objects are shared by every worker, and stay valid while the lease holds them, and then until the worker's next
 * quiescent point. */
#ifndef TABLE_LEASE_H
#define TABLE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct backend;
struct limit;
struct listener;
struct pool;

/* All NULL: nothing is held. */
struct lease {
    struct listener *listener;
    struct limit *process;   /* held together with the listener's place */
    struct pool *pool;
    struct backend *backend; /* NULL: no slot */
};

enum lease_outcome { LEASE_TAKEN, LEASE_LISTENER_FULL, LEASE_PROCESS_FULL };

/* Takes a place of the listener and one of the process, and enters the listener's pool; or says which of the two is full, and takes nothing. `lease` must be
 * empty. `since_ns`: since when the client has waited (table/limit.h). Any worker that is online in the epoch. */
enum lease_outcome lease_take(struct lease *lease, struct listener *listener, struct limit *process, uint64_t since_ns);

/* Keeps a slot that a selector has reserved on a backend of the pool. Any worker. */
void lease_take_backend(struct lease *lease, struct backend *backend);

/* Leaves the pool for the one that the listener leads to now. No slot may be held. Any worker that is online in the epoch. */
void lease_change_pool(struct lease *lease);

enum lease_part { LEASE_BACKEND, LEASE_ALL };

/* Gives back the slot on the backend, if there is one, so that another backend can be tried; or all that is held. Any worker; once for what was taken. */
void lease_give(struct lease *lease, enum lease_part part);

#endif
