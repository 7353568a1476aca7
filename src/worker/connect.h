/* worker/connect.h: from an accepted client to a connected backend. The session's worker. */
#ifndef WORKER_CONNECT_H
#define WORKER_CONNECT_H

struct session;

/* Picks a backend, reserves a slot and starts connecting; ends the session when there is none, or when its client is gone. CONNECTING, without a backend
 * socket. */
void connect_start(struct session *session);

#endif
