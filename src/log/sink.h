/* log/sink.h: a destination of log lines: a non-blocking descriptor with a bounded buffer in front of it.
 *
 * Log thread; control opens and closes the sinks while that thread does not run. If the descriptor accepts no more, the sink buffers lines up to its limit and
 * counts further lines as lost. A stuck sink therefore delays neither the other sink nor any thread that logs.
 *
 * There are two kinds. A stream gets lines one after another, and may take part of one: files, FIFOs, standard output and error, whatever they are. A
 * socket of a log daemon (syslog, journal) gets each line as a datagram; log/daemon.c. */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/target.h"

/* Size of the buffer for lines that the descriptor does not accept yet. */
#define SINK_BUFFER_BYTES 65536

struct sink {
    enum log_target_kind kind;
    char *path;       /* owned; of the file or socket; NULL: standard output or error */
    char *buffer;     /* owned; SINK_BUFFER_BYTES. Of a log daemon: before each line, its length as a uint16_t */
    int fd;           /* -1: not open */
    size_t pending;   /* bytes in the buffer that are not written yet */
    uint64_t lost;    /* lines dropped since the sink was opened */
    bool blocked;     /* the descriptor accepted no more; write again when poll reports it writable */
    bool socket;      /* stream: written with send(2) */
    bool torn;        /* stream: part of a line was written; if the rest is lost, the next line begins with a newline */
    bool poll_first;  /* stream: the descriptor is shared with other processes, so it is blocking: poll before each write */
};

struct sink_options {
    struct log_target target;
    const char *socket_path; /* of the log daemon; NULL: the usual one. Tests have their own */
};

/* Opens a target. A new file gets mode 0640. A FIFO is opened even if it has no reader. Returns 0 or a negative errno; on failure nothing stays open or
 * allocated. */
int sink_open(struct sink *sink, const struct sink_options *options);
/* Closes the sink and drops pending bytes. Accepts a zeroed sink whose fd is -1, and may be called twice. */
void sink_close(struct sink *sink);

/* Reopens the file by its path. Does nothing for other kinds. Returns 0, or a negative errno; then the old file stays open. Pending bytes go to the new
 * file. */
int sink_reopen(struct sink *sink);

/* Whether the sink writes to the same pipe, socket, terminal or file as the descriptor. */
bool sink_writes_to(const struct sink *sink, int fd);

/* Adds one line, or counts it as lost if the buffer has no space. A stream's line ends with its newline, and has no other one. */
void sink_add(struct sink *sink, const char *line, size_t bytes);

/* Writes pending bytes, as far as the descriptor accepts them without blocking. On a write error (disk full, no reader) counts the pending lines as lost. */
void sink_flush(struct sink *sink);

/* Whether the sink waits for poll(2) to report POLLOUT on `fd`. */
bool sink_waits(const struct sink *sink);

#endif
