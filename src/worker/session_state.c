/* worker/session_state.c: the table of a session's states, and the moves between them. Worker thread; owns nothing. */
#include <assert.h>

#include "log/log.h"
#include "worker/context.h"
#include "worker/session.h"
#include "worker/session_state.h"

/* Bit `to` of `moves`: the state may be followed by that one. */
static const struct {
    const char *name;
    unsigned moves;
} states[] = {
    [SESSION_CONNECTING] = {"CONNECTING", 1u << SESSION_RELAYING | 1u << SESSION_CLOSING},
    [SESSION_RELAYING] = {"RELAYING", 1u << SESSION_ABORTING | 1u << SESSION_CLOSING},
    [SESSION_ABORTING] = {"ABORTING", 1u << SESSION_CLOSING},
    [SESSION_CLOSING] = {"CLOSING", 0},
};
_Static_assert(sizeof(states) / sizeof(states[0]) == SESSION_STATES, "every state has a row");

const char *session_state_name(enum session_state state)
{
    return states[state].name;
}

void session_move(struct session *session, enum session_state to)
{
    assert(states[session->state].moves & 1u << to);
    if (log_enabled(LOG_DEBUG))
        log_debug("session " SESSION_NUMBER ": %s -> %s", SESSION_NUMBER_OF(session), states[session->state].name, states[to].name);
    session->state = to;
    assert(session->ends[CLIENT].open);
    if (to == SESSION_RELAYING || to == SESSION_ABORTING)
        assert(session->ends[BACKEND].open && session->backend);
    if (to == SESSION_ABORTING)
        assert(session->ends[CLIENT].error || session->ends[BACKEND].error);
}
