/* worker/session_state.h: the states of a session, and the only door between them. The session's worker.
 *
 *                 connect refused, timed out: another backend
 *                        +------+
 *                        v      |
 *   accepted ------> CONNECTING +-----> RELAYING -----> ABORTING -----> CLOSING -----> (freed)
 *                        |                  |                              ^
 *                        +------------------+------------------------------+
 *
 * What holds in each state: what runs, which sockets are open and what is in flight on them, which events may come, what the timer is for, which fields
 * mean something beside those that always do.
 *
 *   CONNECTING  A backend was picked and a slot on it is reserved; or one is about to be.
 *     client    open, nothing in flight: that it is gone is found by looking, each time before a backend is picked and every 100 ms
 *     backend   closed; or open with a connect in flight, -> `connected`; or closing, since the attempt has failed, -> `closed`
 *     timer     armed, but while the failed attempt's socket closes: the end of the attempt, the next look, or another try after a lack of resources
 *     fields    active_ns: when the attempt began; request, failures, attempts, failed, last_error, lacking; end: why the last attempt failed.
 *               lease.backend is set from the pick until the attempt's socket is closed. The directions are as they began, in COPY and at rest
 *
 *   RELAYING    Both directions run, each until its source's FIN was passed on: worker/direction.h.
 *     both      open. In flight are a receive, a send and polls, as the direction's fields say, -> `received`, `rest`, `sent`, `readable`, `writable`
 *     timer     armed: idle_timeout, or half_close_timeout once a direction has ended; and looking whether an end is gone that nothing reads from
 *     fields    active_ns: when bytes last moved; looked_after, last_source, last_small; connected_ns is set from now on
 *
 *   ABORTING    One side is gone. The other still gets what had come before, as long as every second some of it is sent or acknowledged, and then RST.
 *               A reader that pauses for longer, or reads so little that its kernel does not open the window meanwhile, loses the rest.
 *     both      open, and the `error` of one is set. The direction to that one is BROKEN, the other runs: events as in RELAYING
 *     timer     armed: every 10 ms it is looked at what was acknowledged
 *     fields    end: END_CLIENT_GONE or END_BACKEND_GONE, which tells who is; undelivered; active_ns
 *
 *   CLOSING     The sockets are being closed: the last state.
 *     both      closing or closed, -> `closed`
 *     timer     not armed
 *     fields    end: the reason for the log. Nothing is held, but for a buffer that the engine was sending, until `closed`. lease.backend, and with it
 *               the slot, stays until both are closed
 *
 * Waiting for first bytes (preread) and for a free backend (queued) will come between accepted and CONNECTING. How a state is added: src/README. */
#ifndef WORKER_SESSION_STATE_H
#define WORKER_SESSION_STATE_H

#include <stdbool.h>

#include "base/timer_wheel.h"
#include "io/io.h"

struct session;

enum session_state { SESSION_CONNECTING, SESSION_RELAYING, SESSION_ABORTING, SESSION_CLOSING, SESSION_STATES };

/* What a state does with each event. Chosen when the state changes: both sockets and the timer then lead here without asking for the state. */
struct session_handlers {
    struct io_events events;
    void (*timer)(struct timer *timer);
};

/* One of each state's; who holds them is the file of the state. */
extern const struct session_handlers connect_handlers, relay_handlers, session_abort_handlers, session_closing_handlers;

const struct session_handlers *session_handlers(enum session_state state);

/* For events that cannot come in a state: each says which came in which, and ends the process. */
void session_never_connected(struct io_sock *sock, int error);
bool session_never_received(struct io_sock *sock, struct buffer *buffer);
void session_never_rest(struct io_sock *sock, enum io_rest why, int error);
void session_never_sent(struct io_sock *sock, int error);
void session_never_ready(struct io_sock *sock);
void session_never_closed(struct io_sock *sock);
void session_never_timer(struct timer *timer);

/* The only way to change the state: asserts that the move is in the drawing, and what must hold in the new state; from now on that one has the events. Logs it at level debug. */
void session_move(struct session *session, enum session_state to);

/* As in the drawing. */
const char *session_state_name(enum session_state state);

#endif
