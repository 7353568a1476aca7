/* log/sink.h: a destination of log lines: a non-blocking descriptor with a bounded buffer in front of it.
 *
 * Log thread; control opens and closes the sinks while that thread does not run. If the descriptor accepts no more, the sink buffers lines up to its limit and
 * counts further lines as lost. A stuck sink therefore delays neither the other sink nor any thread that logs. */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Size of the buffer for lines that the descriptor does not accept yet. */
#define SINK_BUFFER_BYTES 65536

struct sink {
    char *path;       /* owned; NULL: standard error */
    char *buffer;     /* owned; SINK_BUFFER_BYTES */
    int fd;           /* -1: not open */
    size_t pending;   /* bytes in the buffer that are not written yet */
    uint64_t lost;    /* lines dropped since the last report */
    bool blocked;     /* the descriptor accepted no more; write again when poll reports it writable */
    bool socket;      /* written with send(2) */
    bool torn;        /* part of a line was written; if the rest is lost, the next line begins with a newline */
    bool poll_first;  /* the descriptor is shared with other processes, so it is blocking: poll before each write */
};

/* Opens "stderr", or a file to append to. A new file gets mode 0640. A FIFO is opened even if it has no reader. Returns 0 or a negative errno; on failure
 * nothing stays open or allocated. */
int sink_open(struct sink *sink, const char *path);
/* Closes the sink and drops pending bytes. Accepts a zeroed sink whose fd is -1, and may be called twice. */
void sink_close(struct sink *sink);

/* Reopens the file by its path. Does nothing for standard error. Returns 0, or a negative errno; then the old file stays open. Pending bytes go to the new
 * file. */
int sink_reopen(struct sink *sink);

/* Adds one line, given without its newline, or counts it as lost if the buffer has no space. Bytes of `text` outside printable ASCII become \xNN, so that a
 * peer cannot forge a line or send terminal escapes. `prefix` is trusted and copied unchanged. */
void sink_add(struct sink *sink, const char *prefix, const char *text, size_t text_bytes);

/* Writes pending bytes, as far as the descriptor accepts them without blocking. On a write error (disk full, no reader) counts the pending lines as lost. */
void sink_flush(struct sink *sink);

/* Whether the sink waits for poll(2) to report POLLOUT on `fd`. */
bool sink_waits(const struct sink *sink);

/* Writes `text` to `out` with every byte outside printable ASCII as \xNN, truncated to `size` - 1 bytes and followed by a zero. Returns the length. Pure. */
size_t sink_escape(char *out, size_t size, const char *text, size_t text_bytes);

#endif
