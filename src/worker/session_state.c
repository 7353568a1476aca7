/* worker/session_state.c: the table of session states and of the moves between them. Worker thread; owns nothing. */
#include "worker/session_state.h"

#include <assert.h>
#include <stdlib.h>

#include "log/log.h"
#include "worker/context.h"
#include "worker/session.h"

/* `moves` has one bit for each state that may follow. */
static const struct {
    const char *name;
    unsigned moves;
    const struct session_handlers *handlers;
} states[] = {
    [SESSION_CONNECTING] = {"CONNECTING", 1u << SESSION_RELAYING | 1u << SESSION_CLOSING, &connect_handlers},
    [SESSION_RECONNECTING] = {"RECONNECTING", 1u << SESSION_RELAYING | 1u << SESSION_CLOSING, &reconnect_handlers},
    [SESSION_RELAYING] = {"RELAYING", 1u << SESSION_RECONNECTING | 1u << SESSION_ABORTING | 1u << SESSION_CLOSING, &relay_handlers},
    [SESSION_ABORTING] = {"ABORTING", 1u << SESSION_CLOSING, &session_abort_handlers},
    [SESSION_CLOSING] = {"CLOSING", 0, &session_closing_handlers},
};
_Static_assert(sizeof(states) / sizeof(states[0]) == SESSION_STATES, "every state has a row");

const char *session_state_name(enum session_state state)
{
    return states[state].name;
}

const struct session_handlers *session_handlers(enum session_state state)
{
    return states[state].handlers;
}

void session_move(struct session *session, enum session_state to)
{
    const struct session_handlers *handlers = states[to].handlers;

    assert(states[session->state].moves & 1u << to);
    if (log_enabled(LOG_DEBUG))
        log_debug("session " SESSION_NUMBER ": %s -> %s", SESSION_NUMBER_OF(session), states[session->state].name, states[to].name);
    session->state = to;
    session->ends[CLIENT].sock.events = session->ends[BACKEND].sock.events = handlers->events;
    session->timer.fire = handlers->timer;
    assert(session->ends[CLIENT].open);
    if (to == SESSION_RELAYING || to == SESSION_ABORTING)
        assert(session->ends[BACKEND].open && session->lease.backend);
    if (to == SESSION_ABORTING)
        assert(session->ends[CLIENT].error || session->ends[BACKEND].error);
}

/* ---- events that cannot occur ---- */

static void __attribute__((noreturn)) fail_unexpected(const struct session *session, const char *what)
{
    log_error("session " SESSION_NUMBER ": event \"%s\" is not possible in state %s: penstock aborts", SESSION_NUMBER_OF(session), what,
              session_state_name(session->state));
    log_flush();
    abort();
}

void session_never_connected(struct io_sock *sock, int error)
{
    (void)error;
    fail_unexpected(session_of_sock(sock), "the end of a connect");
}

bool session_never_received(struct io_sock *sock, struct buffer *buffer)
{
    (void)buffer;
    fail_unexpected(session_of_sock(sock), "bytes");
}

void session_never_rest(struct io_sock *sock, enum io_rest why, int error)
{
    (void)why;
    (void)error;
    fail_unexpected(session_of_sock(sock), "the end of a receive");
}

void session_never_sent(struct io_sock *sock, int error)
{
    (void)error;
    fail_unexpected(session_of_sock(sock), "the end of a send");
}

void session_never_ready(struct io_sock *sock)
{
    fail_unexpected(session_of_sock(sock), "the end of a poll");
}

void session_never_closed(struct io_sock *sock)
{
    fail_unexpected(session_of_sock(sock), "the end of a socket");
}

void session_never_timer(struct timer *timer)
{
    fail_unexpected(container_of(timer, struct session, timer), "timer");
}
