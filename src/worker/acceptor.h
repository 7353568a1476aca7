/* worker/acceptor.h: a worker's listening sockets, one for each address of each listener. The worker's thread. */
#ifndef WORKER_ACCEPTOR_H
#define WORKER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct limit;
struct listener;
struct worker;

/* One socket of a listener, which is this worker's. */
struct acceptor {
    struct io_sock sock;
    struct worker *worker;
    struct listener *listener; /* the live object; held for as long as this is open */
    bool open;
    bool waiting;     /* a poll is in flight */
    bool is_unix;     /* not TCP */
    bool by_client;   /* the congestion control depends on where the client is, and is not the socket's own */
    struct limit *waits_for; /* admission.c's: the limit at which the next client waits for a place; NULL: none */
    uint64_t since_ns;   /* admission.c's: the next client came no earlier, as far as is known; 0: nothing is known */
    bool had_to_wait;    /* admission.c's: since the queue was last empty, a client had to wait for a place */
    uint32_t drain_left; /* draining: most clients that are still accepted */
};

/* Puts the worker's sockets, which need not listen yet, under its engine. 0 or a negative errno; what was opened is closed by acceptor_close_all(). */
int acceptor_open_all(struct worker *worker);

/* The sockets listen: waits for clients. Once, after acceptor_open_all(). */
void acceptor_accept_all(struct worker *worker);

/* A session lacks descriptors or memory to connect with: no worker accepts a client until none has for a moment. What becomes free is for those who are in. */
void acceptor_hold(struct worker *worker);

/* The worker drains: lets nobody new into the queues, accepts who is there, a batch each turn, and closes. One that cannot accept now, because of a limit,
 * stays open until it has. Once. */
void acceptor_drain_all(struct worker *worker);
/* Closes them, whatever is queued. `closed` events follow. */
void acceptor_close_all(struct worker *worker);

/* Tries again where clients wait for a place: there may be one. */
void acceptor_admit(struct worker *worker);

/* Tries again where accepting was paused for lack of descriptors or memory: something was given back. */
void acceptor_resume(struct worker *worker);

#endif
