/* worker/connect.h: from an accepted client to a connected backend. The session's worker. */
#ifndef WORKER_CONNECT_H
#define WORKER_CONNECT_H

struct session;

/* Selects a backend, takes a slot on it and starts to connect. Ends the session if there is no backend, or if its client has left. The session is CONNECTING
 * and has no backend socket. */
void connect_start(struct session *session);

#endif
