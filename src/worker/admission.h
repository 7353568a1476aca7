/* worker/admission.h: may a client come in, and to which worker does it go? The accepting worker's thread. */
#ifndef WORKER_ADMISSION_H
#define WORKER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct worker;

enum admission { ADMITTED, ADMISSION_LISTENER_FULL, ADMISSION_PROCESS_FULL };

/* Takes a place in the limits of the process and of the listener, or says which one is full and takes nothing. */
enum admission admission_take(struct worker *worker, uint32_t listener);
/* Gives it back. */
void admission_give(struct worker *worker, uint32_t listener);

/* Gives an accepted client, for which admission_take() was true, to the worker with the fewest sessions: SO_REUSEPORT spreads by hash and puts both of two
 * long-lived connections on one worker half the time. `fd` is no longer the caller's. */
void admission_place(struct worker *worker, uint32_t listener, int fd, const struct addr *client);

#endif
