/* worker/session_state.h: the states of a session, and the only door between them. The session's worker.
 *
 *                 connect refused, timed out: another backend
 *                        +------+
 *                        v      |
 *   accepted ------> CONNECTING +-----> RELAYING -----> ABORTING -----> CLOSING -----> (freed)
 *                        |                  |                              ^
 *                        +------------------+------------------------------+
 *
 *   CONNECTING  a backend was picked, a slot on it is reserved; or one is about to be
 *   RELAYING    both directions run, each until its source's FIN was passed on
 *   ABORTING    one side is gone; the other still gets what had come before, as long as every second some of it is sent or acknowledged, and then RST.
 *               A reader that pauses for longer, or reads so little that its kernel does not open the window meanwhile, loses the rest
 *   CLOSING     the sockets are being closed; nothing but `closed` can still happen
 *
 * Waiting for first bytes (preread) and for a free backend (queued) will come between accepted and CONNECTING. */
#ifndef WORKER_SESSION_STATE_H
#define WORKER_SESSION_STATE_H

struct session;

enum session_state { SESSION_CONNECTING, SESSION_RELAYING, SESSION_ABORTING, SESSION_CLOSING, SESSION_STATES };

/* The only way to change the state: asserts that the move is in the drawing, and what must hold in the new state. Logs it at level debug. */
void session_move(struct session *session, enum session_state to);

/* As in the drawing. */
const char *session_state_name(enum session_state state);

#endif
