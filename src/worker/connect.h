/* worker/connect.h: from an accepted client to a connected backend. The session's worker. */
#ifndef WORKER_CONNECT_H
#define WORKER_CONNECT_H

#include <stdbool.h>

#include "base/timer_wheel.h"
#include "io/io.h"
#include "worker/session.h"

/* Whether an errno of a socket to a backend means that this machine lacks something, or that the backend has no room now, so that a later attempt may succeed.
 * EADDRNOTAVAIL: no local port is free; but if io_lacks_address() is true, only backends of another address family can be reached.
 * EAGAIN: the accept queue of a UNIX socket is full, for which the kernel does not wait; or UDP has no free local port. */
bool connect_lacks_resources(int error);

/* Selects a backend, takes a slot on it and starts to connect. Ends the session if there is no backend, or if its client has left. The session is CONNECTING
 * or RECONNECTING and has no backend socket. */
void connect_start(struct session *session);

/* ---- for worker/reconnect.c ---- */

/* Whether one more attempt may follow if the present backend fails now. */
bool connect_may_retry(const struct session *session);

/* The backend of the lease has failed: closes its socket, after which the next attempt starts; or ends the session with this reason. `error` is an errno.
 * `own_fault`: not for a lack on this machine. */
void connect_failed(struct session *session, enum session_end reason, int error, bool own_fault);

/* The client has left, with this errno: ends the session. */
void connect_client_left(struct session *session, int error);

/* Events of the backend's socket, and the timer. */
void connect_connected(struct io_sock *sock, int error);
/* The socket of a failed attempt, or of a backend that was given up, is closed: starts the next attempt. */
void connect_closed(struct io_sock *sock);
void connect_timer(struct timer *timer);

#endif
