/* log/sink.h: where finished log lines go: one descriptor that is never waited for, and a bounded buffer in front of
 * it.
 *
 * Used by the log thread alone (control opens and closes around the thread's life). A sink that cannot take more
 * keeps what fits its buffer and counts the rest as lost; so one stuck sink delays neither the other one nor any
 * thread that logs. */
#ifndef LOG_SINK_H
#define LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes a sink holds while its descriptor takes none. */
#define SINK_BUFFER_BYTES 65536

struct sink {
    char *path;       /* owned; NULL: standard error */
    char *buffer;     /* owned; SINK_BUFFER_BYTES */
    int fd;           /* -1: not open */
    size_t pending;   /* bytes in buffer that were not written yet */
    uint64_t lost;    /* lines that were counted instead of written, since the last report */
    bool blocked;     /* the descriptor took no more: write again when poll says so */
    bool socket;      /* written with send(2) */
    bool torn;        /* half a line was written; should the rest get lost, the next one begins with a newline */
    bool poll_first;  /* the descriptor is shared with others and so was not made non-blocking */
};

/* Opens "stderr" or a file to append to (made with mode 0640; a FIFO is opened even when nobody reads it). Returns 0
 * or a negative errno; on failure nothing is left behind. */
int sink_open(struct sink *sink, const char *path);
/* Closes; drops what is pending. Safe on a zeroed sink whose fd is -1, and twice. */
void sink_close(struct sink *sink);

/* Opens the file anew under the same path; standard error stays as it is. Returns 0, or a negative errno with the old
 * file still open. What is pending goes to the new file. */
int sink_reopen(struct sink *sink);

/* Adds one line (without its newline; bytes outside printable ASCII become \xNN so that nobody can forge or colour a
 * line), or counts it as lost when the buffer has no room. `prefix` is ours and copied as it is. */
void sink_add(struct sink *sink, const char *prefix, const char *text, size_t text_bytes);

/* Writes what is pending, as far as the descriptor takes it without waiting. On a write error (disk full, nobody
 * reads any more) the pending lines are counted as lost. */
void sink_flush(struct sink *sink);

/* Whether poll(2) for POLLOUT on `fd` is what the sink waits for. */
bool sink_waits(const struct sink *sink);

/* Writes `text` to `out` with every byte outside printable ASCII as \xNN, cutting at `size` - 1 bytes; ends it with a
 * zero. Returns its length. Pure. */
size_t sink_escape(char *out, size_t size, const char *text, size_t text_bytes);

#endif
