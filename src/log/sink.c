/* log/sink.c: one log destination: opens, escapes, buffers, and writes without waiting. Log thread; owns the descriptor, the path and the buffer. */
#include "log/sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *path)
{
    const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, O_WRONLY | flags, 0640);
    /* The file is a FIFO without a reader. Opening it for reading and writing succeeds (fifo(7)), and keeps it usable until a reader opens it. */
    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | flags, 0640);
    return fd < 0 ? -errno : fd;
}

/* Standard error is shared with the process that started us, so O_NONBLOCK set on it would also affect, for example, its shell. Opening it through /proc gives
 * us an open file description of our own. If that is refused (a socket, another user's terminal), the descriptor stays shared, and each write is preceded by
 * a poll. */
static int open_stderr(struct sink *sink)
{
    struct stat status;

    if (fstat(STDERR_FILENO, &status) < 0)
        return -errno;
    sink->socket = S_ISSOCK(status.st_mode);
    if (!sink->socket) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            return fd;
        sink->poll_first = true;
    }
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

int sink_open(struct sink *sink, const char *path)
{
    int error = -ENOMEM;

    *sink = (struct sink){.fd = -1};
    sink->buffer = malloc(SINK_BUFFER_BYTES);
    if (!sink->buffer)
        goto fail;
    if (strcmp(path, "stderr") == 0) {
        sink->fd = error = open_stderr(sink);
    } else {
        sink->path = strdup(path);
        if (!sink->path)
            goto fail;
        sink->fd = error = open_file(path);
    }
    if (sink->fd < 0)
        goto fail;
    return 0;
fail:
    sink_close(sink);
    return error;
}

void sink_close(struct sink *sink)
{
    if (sink->fd >= 0)
        close(sink->fd);
    free(sink->buffer);
    free(sink->path);
    *sink = (struct sink){.fd = -1};
}

int sink_reopen(struct sink *sink)
{
    if (!sink->path)
        return 0;
    int fd = open_file(sink->path);
    if (fd < 0)
        return fd;
    close(sink->fd);
    sink->fd = fd;
    sink->blocked = false;
    sink->torn = false;
    return 0;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

size_t sink_escape(char *out, size_t size, const char *text, size_t text_bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;

    assert(size > 0);
    for (size_t i = 0; i < text_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (length + (is_plain(byte) ? 1 : 4) >= size)
            break;
        if (is_plain(byte)) {
            out[length++] = (char)byte;
        } else {
            out[length++] = '\\';
            out[length++] = 'x';
            out[length++] = digits[byte >> 4];
            out[length++] = digits[byte & 15];
        }
    }
    out[length] = '\0';
    return length;
}

void sink_add(struct sink *sink, const char *prefix, const char *text, size_t text_bytes)
{
    size_t prefix_bytes = strlen(prefix);
    size_t worst = 1 + prefix_bytes + 4 * text_bytes + 2; /* newline after a torn line, every byte escaped, newline, zero */

    if (sink->pending + worst > SINK_BUFFER_BYTES)
        sink_flush(sink);
    if (sink->pending + worst > SINK_BUFFER_BYTES) {
        sink->lost++;
        return;
    }
    char *end = sink->buffer + sink->pending;
    if (sink->torn && sink->pending == 0)
        *end++ = '\n';
    memcpy(end, prefix, prefix_bytes);
    end += prefix_bytes;
    end += sink_escape(end, (size_t)(sink->buffer + SINK_BUFFER_BYTES - end), text, text_bytes);
    *end++ = '\n';
    sink->pending = (size_t)(end - sink->buffer);
}

static ssize_t write_some(const struct sink *sink, size_t bytes)
{
    if (sink->socket)
        return send(sink->fd, sink->buffer, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink->poll_first) {
        struct pollfd poller = {.fd = sink->fd, .events = POLLOUT};
        if (poll(&poller, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        /* If poll reports a pipe as writable, a write of up to PIPE_BUF bytes does not block (pipe(7)). */
        bytes = bytes < PIPE_BUF ? bytes : PIPE_BUF;
    }
    return write(sink->fd, sink->buffer, bytes); /* SIGPIPE is blocked in the log thread, so a write without a reader only fails with EPIPE */
}

static void lose_pending(struct sink *sink)
{
    for (size_t i = 0; i < sink->pending; i++)
        sink->lost += sink->buffer[i] == '\n';
    sink->pending = 0;
}

void sink_flush(struct sink *sink)
{
    while (sink->pending > 0 && !sink->blocked) {
        ssize_t written = write_some(sink, sink->pending);
        if (written > 0) {
            sink->torn = sink->buffer[written - 1] != '\n';
            sink->pending -= (size_t)written;
            memmove(sink->buffer, sink->buffer + written, sink->pending);
        } else if (written < 0 && errno == EINTR) {
            continue;
        } else if (written < 0 && errno == EAGAIN) {
            sink->blocked = true;
        } else {
            lose_pending(sink);
        }
    }
}

bool sink_waits(const struct sink *sink)
{
    return sink->fd >= 0 && sink->pending > 0 && sink->blocked;
}
