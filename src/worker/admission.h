/* worker/admission.h: to which worker does an accepted client go? The accepting worker's thread. */
#ifndef WORKER_ADMISSION_H
#define WORKER_ADMISSION_H

struct addr;
struct lease;
struct worker;

/* Gives an accepted client, for which the lease was taken, to the worker with the fewest sessions: SO_REUSEPORT spreads by hash and puts both of two
 * long-lived connections on one worker half the time. `fd` and the lease are no longer the caller's. */
void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client);

#endif
