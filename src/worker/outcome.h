/* worker/outcome.h: notes at the backend how sessions with it went, so that health ejects one that fails again and again. The session's worker.
 *
 * Only what happens before the first byte from the backend counts. After that, an end may be what the protocol wants, or the client's doing.
 *
 *   failure   connecting failed, and not for a lack on this machine
 *             the backend's end broke: a reset, or a timeout of TCP. If the client's broke first, nothing counts
 *             the backend closed the connection although the client had sent bytes and its FIN was not passed on, or within a second. Later, without a byte
 *             from the client, that is the keep-alive time of an unused connection: nothing counts
 *             the backend sent nothing within first_byte_timeout
 *   success   a byte came from the backend
 *             the client's bytes and FIN were passed on, and then the backend closed the connection without a byte: a protocol without answers
 *
 * If connecting took too long and bytes came from the backend on other sessions in that time, or first_byte_timeout ends a session and they have come within
 * it, nothing counts: the backend is busy. Nor does anything else count, such as idle_timeout or a stop. */
#ifndef WORKER_OUTCOME_H
#define WORKER_OUTCOME_H

#include <stdint.h>

/* A server keeps an unused connection for longer than this. */
#define OUTCOME_AT_ONCE_NS UINT64_C(1000000000)

struct session;

/* An attempt to connect to lease.backend has failed through its own fault. */
void outcome_connect_failed(struct session *session, int error);

/* RELAYING: the first byte has come from the backend. */
void outcome_first_byte(struct session *session);

/* RELAYING: first_byte_timeout has expired. */
void outcome_backend_silent(struct session *session);

/* RELAYING: the backend has sent FIN. */
void outcome_backend_closed(struct session *session);

/* The backend's end is gone, and all that had come from it was read. Its `error` says why. */
void outcome_backend_gone(struct session *session);

#endif
