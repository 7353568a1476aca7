/* log/daemon.h: the sink of a log daemon of this machine: syslog or journald. The log thread, like the sink; private to src/log.
 *
 * Both take a datagram for each line on a UNIX socket. The socket is connected, because poll(2) then reports when the daemon's queue has space again. The
 * libraries' calls, syslog(3) and sd_journal_sendv(3), send on a blocking socket and wait while the queue is full, so neither is used. */
#ifndef LOG_DAEMON_H
#define LOG_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

struct sink;

/* The usual path of the daemon's socket. */
const char *daemon_path(const struct sink *sink);

/* Connects to the daemon at `sink->path`. Returns the descriptor or a negative errno. */
int daemon_connect(const struct sink *sink);

/* The two halves of a sink: as sink_add() and sink_flush(). If the daemon has ended, a flush connects again, once; lines for a daemon that is away are
 * lost. */
void daemon_add(struct sink *sink, const char *line, size_t bytes);
void daemon_flush(struct sink *sink);

#endif
