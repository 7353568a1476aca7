/* worker/acceptor.h: a worker's listening sockets, one for each address of each listener. The worker's thread. */
#ifndef WORKER_ACCEPTOR_H
#define WORKER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

struct limit;
struct listener;
struct worker;

/* One listening socket of this worker. */
struct acceptor {
    struct io_sock sock;
    struct worker *worker;
    struct listener *listener; /* the live object; referenced while the socket is open */
    bool open;
    bool waiting;     /* a poll is in flight */
    bool is_unix;     /* a UNIX socket, otherwise TCP */
    bool by_client;   /* the congestion control is set per client, by its address, and not inherited from the socket */
    struct limit *waits_for; /* for admission.c: the limit at which the next client waits for a place; NULL: it does not wait */
    uint64_t since_ns;   /* for admission.c: the next client arrived at this time or later; 0: unknown */
    bool had_to_wait;    /* for admission.c: a client has had to wait for a place since the queue was last empty */
    uint32_t drain_left; /* while draining: how many more clients may be accepted */
};

/* Registers the worker's sockets with its engine; they need not listen yet. Returns 0 or a negative errno. acceptor_close_all() closes those that were
 * registered. */
int acceptor_open_all(struct worker *worker);

/* Starts waiting for clients: the sockets listen now. Once, after acceptor_open_all(). */
void acceptor_accept_all(struct worker *worker);

/* A session lacks a descriptor or memory for its backend. No worker accepts a client until no session has lacked any for 50 ms, so that what becomes free goes
 * to sessions that already exist. */
void acceptor_hold(struct worker *worker);

/* Starts draining: keeps new clients out of the accept queues, accepts the queued ones, one batch per turn, and closes the sockets. A socket whose clients
 * wait at a limit stays open until they are accepted. Once. */
void acceptor_drain_all(struct worker *worker);
/* Closes the sockets, even if clients are queued. `closed` events follow. */
void acceptor_close_all(struct worker *worker);

/* Retries for the clients that wait for a place, because one may be free. */
void acceptor_admit(struct worker *worker);

/* Retries after a pause for lack of descriptors or memory, because some were freed. */
void acceptor_resume(struct worker *worker);

#endif
