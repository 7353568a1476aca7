/* worker/session_log.h: one access log line per ended session. The session's worker. */
#ifndef WORKER_SESSION_LOG_H
#define WORKER_SESSION_LOG_H

struct lease;
struct session;

/* `lease` is what the session held before it was given back. Writes the line when an access log is kept:
 *   session=W.N client=ADDR listener=NAME pool=NAME backend=NAME addr=ADDR worker=W connect_ms=N duration_ms=N bytes_in=N bytes_out=N tries=N end=XX reason="TEXT"
 * `session` is the session's number, which the log's other lines about it carry too. * `backend` and `addr` are those of the last one tried, `-` where none was; connect_ms is `-` where none was reached. `end` is HAProxy's two-letter
 * termination code where it has one for the case: who ended it (C client, S server, c and s their timeouts, P proxy, R resources, K killed by stop) and when
 * (C connecting, D with data; a stop is KD also for a session that was still connecting). A session that never reached a backend also gives a warning, at most
 * once a second per worker: its client was let down. */
void session_log(struct session *session, const struct lease *lease);

#endif
