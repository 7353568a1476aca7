/* worker/evict.h: closes the sessions of backends that are to have none (backend_eviction() in table/backend.h). The worker's thread.
 *
 * A worker visits its sessions, the oldest first, a slice every 10 ms (worker/walk.h). It closes those of such backends, up to the pool's close_rate. While
 * the rate makes it pass some over, it visits all sessions again. A session whose backend was selected just before the eviction began may be missed. Therefore
 * health repeats the order until no session is left. */
#ifndef WORKER_EVICT_H
#define WORKER_EVICT_H

struct worker;

void evict_init(struct worker *worker);

/* Begins to visit all sessions. May be repeated at any time. */
void evict_begin(struct worker *worker);

#endif
