/* worker/session_state.h: the states of a session, and the only function that changes them. The session's worker.
 *
 *                 connect refused, timed out: another backend
 *                        +------+
 *                        v      |
 *   accepted ------> CONNECTING +-----> RELAYING -----> ABORTING -----> CLOSING -----> (freed)
 *                        |               ^  |  |                           ^
 *                        |               |  v  |                           |
 *                        |          RECONNECTING                           |
 *                        |               |     |                           |
 *                        +---------------+-----+---------------------------+
 *
 * The contract of each state: what happens in it; for each socket, whether it is open, what is in flight, and (after ->) which events may occur; what the
 * timer is for; and which fields have a meaning in addition to those that always have one.
 *
 *   CONNECTING  A slot on a backend is taken and the connection is being made, or this is about to happen.
 *     client    open, nothing in flight. No event reports that the client has left: it is checked before each selection and every 100 ms
 *     backend   closed; or open with a connect in flight, -> `connected`; or closing after a failed attempt, -> `closed`
 *     timer     armed for the end of the attempt, the next check of the client, or the end of a pause before a further attempt; not armed while a failed
 *               socket closes
 *     fields    active_ns: when the attempt began; tried, failures, excluded, again, attempts, failed, last_error, lacking; end: why the last attempt failed.
 *               lease.backend is set from the selection until the socket of the attempt is closed or, with `again`, until the next attempt has failed.
 *               Both directions are in COPY and at rest
 *
 *   RECONNECTING  The backend has died before it answered, and another one is chosen and connected. As CONNECTING, except for:
 *     client    open; a receive may be in flight, -> `received`, `rest`. It is checked as in CONNECTING, too
 *     backend   as in CONNECTING; at first, the one that has died is closing
 *     fields    as in CONNECTING. The direction from the client is in COPY, TAPPED or ENDING; it holds everything from the client, for the next backend. Its
 *               `sending` is with the backend that is closing, until `closed`. The other direction is in COPY and at rest. connected_ns is 0
 *
 *   RELAYING    Both directions run, each until FIN from its source was passed on: worker/direction.h.
 *     both      open. A receive, a send and polls are in flight, as the fields of the directions say, -> `received`, `rest`, `sent`, `readable`, `writable`
 *     timer     armed for the time limit that expires first (worker/session_timer.c), or for the next check of ends that are not being read
 *     fields    active_ns: when bytes last moved; looked_after, last_source, last_small; connected_ns is set from now on
 *
 *   ABORTING    One side is gone. The other one still gets the bytes that had arrived before, and then RST. It must make progress: in each second, some
 *               bytes must be sent or acknowledged. A reader that pauses for longer, or reads too little for its kernel to open the window, loses the rest.
 *     both      open. The `error` of one is set. The direction toward that one is BROKEN, the other one runs: events as in RELAYING
 *     timer     armed every 10 ms, to check how much was acknowledged
 *     fields    end: END_CLIENT_GONE or END_BACKEND_GONE, which says who is gone; undelivered; active_ns
 *
 *   CLOSING     The last state: the sockets are being closed.
 *     both      closing or closed, -> `closed`
 *     timer     not armed
 *     fields    end and legs: for the log. No buffer is held, except one that the engine was sending, until `closed`. The lease is held until both are closed
 *
 * Two states will be added between accepted and CONNECTING: waiting for first bytes (preread), and waiting for a free backend (queued). src/README says how. */
#ifndef WORKER_SESSION_STATE_H
#define WORKER_SESSION_STATE_H

#include <stdbool.h>

#include "base/timer_wheel.h"
#include "io/io.h"

struct session;

enum session_state { SESSION_CONNECTING, SESSION_RECONNECTING, SESSION_RELAYING, SESSION_ABORTING, SESSION_CLOSING, SESSION_STATES };

/* The event handlers of a state. session_move() installs them in both sockets and the timer, so that no handler has to test the state. */
struct session_handlers {
    const struct io_events *events;
    void (*timer)(struct timer *timer);
};

/* One for each state, defined in the file of that state. */
extern const struct session_handlers connect_handlers, reconnect_handlers, relay_handlers, session_abort_handlers, session_closing_handlers;

const struct session_handlers *session_handlers(enum session_state state);

/* For events that cannot occur in a state: each prints the event and the state, and aborts. */
void session_never_connected(struct io_sock *sock, int error);
bool session_never_received(struct io_sock *sock, struct buffer *buffer);
void session_never_rest(struct io_sock *sock, enum io_rest why, int error);
void session_never_sent(struct io_sock *sock, int error);
void session_never_ready(struct io_sock *sock);
void session_never_closed(struct io_sock *sock);
void session_never_timer(struct timer *timer);

/* The only function that changes the state. Asserts that the drawing has the move, and what must hold in the new state. Installs the handlers of the new
 * state. Logs the move at level debug. */
void session_move(struct session *session, enum session_state to);

/* The name in the drawing. */
const char *session_state_name(enum session_state state);

#endif
