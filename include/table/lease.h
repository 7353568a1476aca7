/* table/lease.h: what one session or flow holds: a place of its listener, one of the process, its use of the pool, and a slot on its backend.
 *
 * It is taken in two steps, for the client and for the backend. lease_give() is the only function that frees a place, a pool or a slot. The session or
 * flow owns the lease. The objects are shared by all workers. They stay valid while the lease holds them, and after that until the next quiescent point of
 * the worker. */
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
    struct limit *process;   /* the limit of the process, of connections or of flows; a place of it is held together with one of the listener's */
    struct pool *pool;
    struct backend *backend; /* NULL: no slot */
};

enum lease_outcome { LEASE_TAKEN, LEASE_LISTENER_FULL, LEASE_PROCESS_FULL };

/* Takes a place of the listener and one of the process, and enters the listener's pool. Otherwise says which limit has refused, and takes nothing. `lease` must
 * be empty. `process` is the limit of the process for connections or for flows; the listener's limit of the same kind is used with it. `since_ns`: since
 * when the client has waited (table/limit.h). Any worker that is online in the epoch. */
enum lease_outcome lease_take(struct lease *lease, struct listener *listener, struct limit *process, uint64_t since_ns);

/* Adds a slot that a selector has taken on a backend of the pool. Any worker. */
void lease_take_backend(struct lease *lease, struct backend *backend);

/* Leaves the pool and enters the one that the listener leads to now. No slot may be held. Any worker that is online in the epoch. */
void lease_change_pool(struct lease *lease);

enum lease_part { LEASE_BACKEND, LEASE_ALL };

/* Gives back the slot on the backend, if one is held, so that another backend can be tried; or everything that is held. Any worker. */
void lease_give(struct lease *lease, enum lease_part part);

#endif
