/* worker/session_log.h: the access log's lines about a session, and the warning of one that was not served. The session's worker.
 *
 * log/access.h has the values, and log/fields.c the names of the fields. Both are for sessions that access_log_sample selects; an end that is not normal
 * always has its line. The termination code is HAProxy's if it has one for the case. Its first letter says who ended the session (C client, S server, c and s
 * their timeouts, P proxy, R resources, K killed by a stop or by an administrator, D and U a backend that is down or not needed any more), the second when (C
 * connecting, H before the backend's first byte, D with data; K is always followed by D). */
#ifndef WORKER_SESSION_LOG_H
#define WORKER_SESSION_LOG_H

#include "log/access.h"
#include "table/stats.h"
#include "worker/session.h"

struct lease;

/* Reads what will not be known any more after the sockets are closed. When the session ends, with `end` set and before the first io_close(). */
void session_log_prepare(struct session *session);

/* Writes the line of the end. `lease` is what the session held before it was given back. A session that never reached a backend is also reported as a warning,
 * at most once per second and worker. */
void session_log(struct session *session, const struct lease *lease);

/* Writes a line about a session that goes on: ACCESS_OPEN or ACCESS_ALIVE. */
void session_log_note(struct session *session, enum access_event event);

/* The termination code of a reason. */
enum report_end session_end_code(enum session_end reason);

#endif
