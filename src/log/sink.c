/* log/sink.c: one log destination: opens, buffers, and writes without waiting. Log thread; owns the descriptor, the path and the buffer. */
#include "log/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/daemon.h"

static int open_file(const char *path)
{
    const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, O_WRONLY | flags, 0640);
    /* The file is a FIFO without a reader. Opening it for reading and writing succeeds (fifo(7)), and keeps it usable until a reader opens it. */
    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | flags, 0640);
    return fd < 0 ? -errno : fd;
}

/* Standard output and error are shared with the process that started us, so O_NONBLOCK set on them would also affect, for example, its shell. Opening them
 * through /proc gives us an open file description of our own. If that is refused (a socket, another user's file or terminal), the descriptor stays shared,
 * and each write is preceded by a poll. */
static int open_standard(struct sink *sink, int standard)
{
    const char *own = standard == STDERR_FILENO ? "/proc/self/fd/2" : "/proc/self/fd/1";
    struct stat status;

    if (fstat(standard, &status) < 0)
        return -errno;
    sink->socket = S_ISSOCK(status.st_mode);
    if (!sink->socket) {
        int fd = open(own, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            return fd;
        sink->poll_first = true;
    }
    int fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

static bool is_daemon(const struct sink *sink)
{
    return sink->kind == LOG_TARGET_SYSLOG || sink->kind == LOG_TARGET_JOURNAL;
}

/* Returns the path that the sink opens; NULL: none. */
static const char *path_of(const struct sink *sink, const struct sink_options *options)
{
    if (!is_daemon(sink))
        return options->target.path;
    return options->socket_path ? options->socket_path : daemon_path(sink);
}

static int open_descriptor(struct sink *sink)
{
    switch (sink->kind) {
    case LOG_TARGET_FILE:
        return open_file(sink->path);
    case LOG_TARGET_STDERR:
        return open_standard(sink, STDERR_FILENO);
    case LOG_TARGET_STDOUT:
        return open_standard(sink, STDOUT_FILENO);
    case LOG_TARGET_SYSLOG:
    case LOG_TARGET_JOURNAL:
        return daemon_connect(sink);
    }
    return -EINVAL;
}

int sink_open(struct sink *sink, const struct sink_options *options)
{
    const char *path;
    int error = -ENOMEM;

    *sink = (struct sink){.fd = -1, .kind = options->target.kind};
    path = path_of(sink, options);
    sink->buffer = malloc(SINK_BUFFER_BYTES);
    sink->path = path ? strdup(path) : NULL;
    if (!sink->buffer || (path && !sink->path))
        goto fail;
    sink->fd = error = open_descriptor(sink);
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
    if (sink->kind != LOG_TARGET_FILE)
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

bool sink_writes_to(const struct sink *sink, int fd)
{
    struct stat own, other;

    return fstat(sink->fd, &own) == 0 && fstat(fd, &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

void sink_add(struct sink *sink, const char *line, size_t bytes)
{
    size_t worst = 1 + bytes; /* a newline after a torn line */
    char *end;

    if (is_daemon(sink)) {
        daemon_add(sink, line, bytes);
        return;
    }
    if (sink->pending + worst > SINK_BUFFER_BYTES)
        sink_flush(sink);
    if (sink->pending + worst > SINK_BUFFER_BYTES) {
        sink->lost++;
        return;
    }
    end = sink->buffer + sink->pending;
    if (sink->torn && sink->pending == 0)
        *end++ = '\n';
    memcpy(end, line, bytes);
    sink->pending = (size_t)(end - sink->buffer) + bytes;
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

static void flush_stream(struct sink *sink)
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

void sink_flush(struct sink *sink)
{
    if (is_daemon(sink))
        daemon_flush(sink);
    else
        flush_stream(sink);
}

bool sink_waits(const struct sink *sink)
{
    return sink->fd >= 0 && sink->pending > 0 && sink->blocked;
}
