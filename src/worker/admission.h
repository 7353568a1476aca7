/* worker/admission.h: may a client come in, and to which worker does it go? The accepting worker's thread. */
#ifndef WORKER_ADMISSION_H
#define WORKER_ADMISSION_H

struct acceptor;
struct addr;
struct lease;
struct worker;

enum admission {
    ADMITTED,
    ADMISSION_FULL,   /* no place for the acceptor's next client: it waits now, and acceptor_admit() is called when there is one */
    ADMISSION_NOBODY, /* no place either, but no client that needs one */
};

/* Takes a lease for the client that io_accept() would give: places in the limits of the listener and of the process. `lease` must be empty. */
enum admission admission_take(struct acceptor *acceptor, struct lease *lease);

/* The client was accepted; `fd` is still the caller's. Call it before the next admission_take(). */
void admission_accepted(struct acceptor *acceptor, int fd);
/* The acceptor's queue is empty. Before the lease for its next client is given back. */
void admission_emptied(struct acceptor *acceptor);
/* The acceptor's next client, if it waits for a place, waits for something else now. */
void admission_withdraw(struct acceptor *acceptor);

/* Gives an accepted client, for which the lease was taken, to the worker with the fewest sessions: SO_REUSEPORT spreads by hash and puts both of two
 * long-lived connections on one worker half the time. `fd` and the lease are no longer the caller's. */
void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client);

#endif
