/* worker/session_log.h: one access log line per ended session. The session's worker. */
#ifndef WORKER_SESSION_LOG_H
#define WORKER_SESSION_LOG_H

struct lease;
struct session;

/* Writes the line if there is an access log. `lease` is what the session held before it was given back.
 *   session=W.N client=ADDR listener=NAME pool=NAME backend=NAME addr=ADDR worker=W connect_ms=N duration_ms=N bytes_in=N bytes_out=N tries=N replayed=N
 *   end=XX reason="TEXT"
 * `session` is the number of the session, which is also in the other log lines about it. `backend` and `addr` are those of the last backend tried, or `-`.
 * connect_ms is `-` if no backend was connected, or the last one died before it answered and no other one was. `replayed` counts the backends that got what
 * another one had got before. `end` is HAProxy's two-letter termination code if it has one for the case. The first letter says who ended
 * the session (C client, S server, c and s their timeouts, P proxy, R resources, K killed by a stop or by an administrator), the second when (C connecting,
 * H before the backend's first byte, D with data; K is always followed by D). A session that never reached a backend is also reported as a warning, at most
 * once per second and worker. */
void session_log(struct session *session, const struct lease *lease);

#endif
