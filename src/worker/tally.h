/* worker/tally.h: counts what sessions and flows do, in the live objects (table/stats.h) and in the worker's own block (table/counters.h). The worker's thread.
 *
 * A session or flow remembers how many of its bytes were counted, so that they can be counted while it is open (worker/flush.h) and the rest at its end. */
#ifndef WORKER_TALLY_H
#define WORKER_TALLY_H

struct backend;
struct flow;
struct lease;
struct listener;
struct session;

/* The client was accepted, and its session begins. */
void tally_session_began(struct session *session);
/* There is no memory for the session of a client. */
void tally_client_refused(struct listener *listener);
/* A backend was connected. `active_ns` of the session is still the start of the attempt. */
void tally_connected(struct session *session);
/* The first bytes have come from the backend. */
void tally_first_byte(struct session *session);
/* An attempt to connect has failed, by the fault of the backend of the lease. */
void tally_connect_failed(struct session *session);
/* The backend of the lease has failed, and the session will try again. */
void tally_retried(struct session *session);
/* The backend of the lease has died before it answered, and the session will get another one. */
void tally_replayed(struct session *session);
/* The session is over, and its bytes were counted; it still has its lease. */
void tally_session_ended(struct session *session);
/* Counts the bytes that have moved since the last call. Before CLOSING. */
void tally_session_bytes(struct session *session);

/* The same for flows. */
void tally_flow_began(struct flow *flow);
void tally_flow_ended(struct flow *flow);
void tally_flow_bytes(struct flow *flow);

#endif
