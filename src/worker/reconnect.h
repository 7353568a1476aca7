/* worker/reconnect.h: gives up a backend that has died before it answered, and connects to another one. The session's worker.
 *
 * The client must not notice it, so no byte and no FIN may have come from the backend to the client. And no byte from the client may be lost: either none was
 * taken from it, or all are kept (worker/replay.h). The attempt counts as a failed one for `retries` and `retry_timeout`. */
#ifndef WORKER_RECONNECT_H
#define WORKER_RECONNECT_H

#include <stdbool.h>

#include "worker/session.h"

/* Whether the session may leave its backend now, and may try another one. */
bool reconnect_possible(const struct session *session);

/* RELAYING to RECONNECTING: closes the backend's socket. `reason` and `error` are those of the session if no other backend can be connected. Returns false,
 * and does nothing, if this is not possible or there is no memory for it. */
bool reconnect_start(struct session *session, enum session_end reason, int error);

/* The backend has sent FIN and nothing before it. Does the same if this is no answer: the client has sent
 * something and not ended, or the backend has just been connected; and everything is kept. */
bool reconnect_after_fin(struct session *session);

/* A call on the backend's socket has failed with `error`. Returns true if the session continues until its receive shows whether the backend had answered
 * before; reconnect_start() then follows. */
bool reconnect_awaits(struct session *session, int error);

#endif
