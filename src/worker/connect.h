/* worker/connect.h: from an accepted client to a connected backend. The session's worker. */
#ifndef WORKER_CONNECT_H
#define WORKER_CONNECT_H

struct session;

/* Picks a backend, reserves a slot and starts connecting; ends the session when there is none, or when its client is gone. CONNECTING, without a backend
 * socket. */
void connect_start(struct session *session);

/* The backend's socket answered. */
void connect_done(struct session *session, int error);

/* connect_timeout is over, or the pause after a lack of resources, or it is time to look whether the client is still there. */
void connect_timer(struct session *session);

/* The backend's socket of a failed attempt is closed. */
void connect_closed(struct session *session);

#endif
