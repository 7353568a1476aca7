/* log/daemon.c: the sink of syslog or journald. The log thread; owns what the sink owns. */
#include "log/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "log/sink.h"

const char *daemon_path(const struct sink *sink)
{
    return sink->kind == LOG_TARGET_SYSLOG ? "/dev/log" : "/run/systemd/journal/socket";
}

int daemon_connect(const struct sink *sink)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t bytes = strlen(sink->path);
    int fd, error;

    if (bytes >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, sink->path, bytes);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

void daemon_add(struct sink *sink, const char *line, size_t bytes)
{
    uint16_t length = (uint16_t)bytes;
    char *end;

    if (sink->pending + sizeof(length) + bytes > SINK_BUFFER_BYTES)
        daemon_flush(sink);
    if (sink->pending + sizeof(length) + bytes > SINK_BUFFER_BYTES) {
        sink->lost++;
        return;
    }
    end = sink->buffer + sink->pending;
    memcpy(end, &length, sizeof(length));
    memcpy(end + sizeof(length), line, bytes);
    sink->pending += sizeof(length) + bytes;
}

/* The daemon has ended. Returns whether another one listens at its path. */
static bool reconnect_daemon(struct sink *sink)
{
    int fd = daemon_connect(sink);

    if (fd < 0)
        return false;
    close(sink->fd);
    sink->fd = fd;
    return true;
}

/* Sends one line. Returns 0 or a negative errno. */
static int send_line(const struct sink *sink, const char *line, size_t bytes)
{
    ssize_t sent;

    do
        sent = send(sink->fd, line, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

void daemon_flush(struct sink *sink)
{
    bool away = false, reconnected = false;
    size_t done = 0;
    uint16_t length;

    while (done < sink->pending && !sink->blocked) {
        int result = -ECONNREFUSED;

        memcpy(&length, sink->buffer + done, sizeof(length));
        if (!away)
            result = send_line(sink, sink->buffer + done + sizeof(length), length);
        if (result == -EAGAIN) {
            sink->blocked = true;
            break;
        }
        if (result < 0 && result != -EMSGSIZE && !away && !reconnected) {
            reconnected = reconnect_daemon(sink);
            away = !reconnected;
            continue;
        }
        sink->lost += result < 0;
        done += sizeof(length) + length;
    }
    sink->pending -= done;
    memmove(sink->buffer, sink->buffer + done, sink->pending);
}
