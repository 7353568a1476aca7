/* worker/pick.h: selects a backend for a session or a flow. The worker's thread. */
#ifndef WORKER_PICK_H
#define WORKER_PICK_H

#include <stdbool.h>

struct lease;
struct select_request;
struct worker;

/* Selects a backend of the lease's pool and takes a slot on it for the lease. If the pool has left the configuration, the lease moves to the pool that its
 * listener names now, and the list of tried backends is emptied, because their ids are those of the old pool; returns whether that happened. If no backend can
 * be selected, lease->backend stays NULL. */
bool pick_backend(struct worker *worker, struct lease *lease, struct select_request *request);

/* The same without moving to another pool. So the lease may hold nothing but the slot, which lease_give(lease, LEASE_BACKEND) gives back. */
void pick_slot(struct worker *worker, struct lease *lease, struct select_request *request);

/* The same from the pool's backends in reserve (table/service.h), without moving to another pool. */
void pick_reserve(struct worker *worker, struct lease *lease, struct select_request *request);

#endif
