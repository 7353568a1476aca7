/* worker/admission.h: decides whether a client may be accepted now, and which worker serves it. The accepting worker's thread. */
#ifndef WORKER_ADMISSION_H
#define WORKER_ADMISSION_H

struct acceptor;
struct addr;
struct lease;
struct worker;

enum admission {
    ADMITTED,
    ADMISSION_FULL,   /* there is no place: the acceptor's next client waits, and acceptor_admit() is called when there is one */
    ADMISSION_NOBODY, /* there is no place, but no client needs one */
};

/* Takes a lease for the client that io_accept() would return: a place of the listener and one of the process. `lease` must be empty. */
enum admission admission_take(struct acceptor *acceptor, struct lease *lease);

/* The client was accepted. `fd` remains the caller's. Call it before the next admission_take(). */
void admission_accepted(struct acceptor *acceptor, int fd);
/* The acceptor's queue is empty. Call it before the lease that was taken for its next client is given back. */
void admission_emptied(struct acceptor *acceptor);
/* The acceptor's next client no longer waits for a place, if it did. */
void admission_withdraw(struct acceptor *acceptor);

/* Gives an accepted client to the worker with the fewest sessions. SO_REUSEPORT distributes clients by hash: of two long-lived connections, it would put both
 * on one worker half of the time. Takes over `fd` and the lease. */
void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client);

#endif
