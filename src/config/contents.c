/* config/contents.c: opens and reads configuration files. Thread that loads the configuration; owns nothing. */
#include "config/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/file.h"

#define MS 1000000ull /* nanoseconds */

enum {
    FIFO_MS = 1000,     /* how long a FIFO may have no writer */
    SILENCE_MS = 4000,  /* how long the writer may send nothing */
    WHOLE_MS = 60000,   /* how long reading may take in all, if it had to wait */
    LEASE_MS = 50000,   /* how long another process may hold a lease; by default the kernel breaks it after 45 s (lease-break-time) */
    LEASE_STEP_MS = 20,
};

/* Returns why a file of this kind is refused, or NULL if it is accepted. */
static const char *explain_kind(mode_t mode, bool plain)
{
    if (S_ISDIR(mode))
        return strerror(EISDIR);
    if (S_ISSOCK(mode))
        return "is a socket, not a regular file";
    if (S_ISBLK(mode))
        return "is a block device, not a regular file";
    if (plain && S_ISFIFO(mode))
        return "is a FIFO, not a regular file";
    if (plain && S_ISCHR(mode))
        return "is a device, not a regular file";
    return NULL;
}

/* Opens without waiting for the other end of a FIFO. Waits for a lease on a regular file: the first attempt has asked the holder to give it up. */
static int open_without_blocking(const char *path, mode_t mode)
{
    uint64_t end_ns = clock_now_ns() + LEASE_MS * MS;
    int fd;

    for (;;) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 || errno != EWOULDBLOCK || !S_ISREG(mode) || clock_now_ns() > end_ns)
            return fd;
        poll(NULL, 0, LEASE_STEP_MS);
    }
}

int config_contents_open(const char *path, bool plain, struct stat *status, const char **problem)
{
    int fd;

    /* Check the kind before opening, because opening some devices has side effects. */
    *problem = stat(path, status) < 0 ? strerror(errno) : explain_kind(status->st_mode, plain);
    if (*problem)
        return -1;
    fd = open_without_blocking(path, status->st_mode);
    if (fd < 0 && errno == EWOULDBLOCK)
        *problem = "another process has a lease on it and does not give it up";
    else if (fd < 0 || fstat(fd, status) < 0)
        *problem = strerror(errno);
    else
        *problem = explain_kind(status->st_mode, plain); /* the path may name another file by now */
    if (*problem && fd >= 0)
        close(fd);
    return *problem ? -1 : fd;
}

/* Whether the reader may wait without limit: for an unnamed pipe, whose writer created it for us, and for a terminal. */
static bool has_patient_writer(int fd)
{
    struct statfs system;
    return isatty(fd) || (fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC);
}

static bool make_room(char **buffer, size_t used, size_t *room)
{
    if (used < *room)
        return true;
    size_t wanted = *room == 0 ? 65536 : *room * 2;
    char *grown = realloc(*buffer, wanted);
    if (!grown)
        return false;
    *buffer = grown;
    *room = wanted;
    return true;
}

/* A file that is being read. */
struct reading {
    int fd;
    bool is_fifo;
    bool waits;                /* reads may find no data yet; for a regular file such as /proc/kmsg this shows only later */
    bool patient;
    uint64_t begun_ns, got_ns; /* when reading began, and when data last arrived */
};

/* Waits for data. Unless the writer is patient, waits at most until one of the time limits. Returns whether there is data. */
static bool wait_for_data(const struct reading *reading)
{
    struct pollfd wanted = {.fd = reading->fd, .events = POLLIN};
    return poll(&wanted, 1, reading->patient ? -1 : FIFO_MS) != 0;
}

/* Returns why reading stops (the file is endless or too slow), or NULL if it may continue. */
static const char *explain_time(const struct reading *reading, size_t used)
{
    uint64_t now_ns = clock_now_ns();

    if (used > CONFIG_FILE_BYTES_MAX)
        return "larger than 16 MiB";
    if (!reading->waits || reading->patient)
        return NULL;
    if (now_ns - reading->got_ns >= SILENCE_MS * MS)
        return "no data for 4 seconds";
    return now_ns - reading->begun_ns >= WHOLE_MS * MS ? "no end of it after 60 seconds" : NULL;
}

/* Reads once into `room`. Returns the number of bytes; 0 at the end of the file, or after a failure that `*problem` describes; -1 if there is no data yet. */
static ssize_t read_some(struct reading *reading, char *room, size_t bytes, const char **problem)
{
    bool ready = !reading->waits || wait_for_data(reading);
    ssize_t n = read(reading->fd, room, bytes);

    if (n > 0) {
        reading->got_ns = clock_now_ns();
    } else if (n == 0 && !ready && reading->is_fifo) {
        *problem = "a FIFO that nobody writes to";
    } else if (n < 0 && errno == EAGAIN) {
        if (reading->waits && ready && !reading->patient)
            poll(NULL, 0, 10); /* poll(2) reported data but read(2) found none: wait before trying again */
        reading->waits = true;
    } else if (n < 0 && errno != EINTR) {
        *problem = strerror(errno);
    }
    return n;
}

ssize_t config_contents_read(int fd, const struct stat *status, char **text, const char **problem)
{
    uint64_t now_ns = clock_now_ns();
    struct reading reading = {.fd = fd, .is_fifo = S_ISFIFO(status->st_mode), .waits = !S_ISREG(status->st_mode), .begun_ns = now_ns, .got_ns = now_ns};
    size_t used = 0, room = 0;
    ssize_t n = 1;

    reading.patient = reading.waits && has_patient_writer(fd);
    *text = NULL;
    *problem = NULL;
    while (n != 0 && !*problem) {
        if (!make_room(text, used, &room)) {
            *problem = strerror(ENOMEM);
            break;
        }
        n = read_some(&reading, *text + used, room - used, problem);
        used += n > 0 ? (size_t)n : 0;
        if (n != 0 && !*problem)
            *problem = explain_time(&reading, used);
    }
    if (!*problem)
        return (ssize_t)used;
    free(*text);
    *text = NULL;
    return -1;
}
