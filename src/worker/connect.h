/* worker/connect.h: from an accepted client to a connected backend. The session's worker. */
#ifndef WORKER_CONNECT_H
#define WORKER_CONNECT_H

#include <stdbool.h>

struct session;

/* Whether an errno of a socket to a backend means that this machine lacks something, or that the backend has no room now, so that a later attempt may succeed.
 * EADDRNOTAVAIL: no local port is free; but if io_lacks_address() is true, only backends of another address family can be reached.
 * EAGAIN: the accept queue of a UNIX socket is full, for which the kernel does not wait; or UDP has no free local port. */
bool connect_lacks_resources(int error);

/* Selects a backend, takes a slot on it and starts to connect. Ends the session if there is no backend, or if its client has left. The session is CONNECTING
 * and has no backend socket. */
void connect_start(struct session *session);

#endif
