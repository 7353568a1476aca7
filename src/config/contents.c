/* config/contents.c: opens and reads configuration files. Whoever loads runs it; owns nothing. */
#include "config/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "config/file.h"

enum {
    STEP_MS = 1000,     /* so long a FIFO may be without a writer */
    SILENCE_STEPS = 4,  /* so many steps without a byte are too many */
};

/* What cannot be read as a text; NULL: it can. */
static const char *explain_kind(mode_t mode, bool plain)
{
    if (S_ISDIR(mode))
        return strerror(EISDIR);
    if (S_ISSOCK(mode))
        return "a socket, not a file";
    if (S_ISBLK(mode))
        return "a block device, not a file";
    if (plain && S_ISFIFO(mode))
        return "a FIFO, not a file";
    if (plain && S_ISCHR(mode))
        return "a device, not a file";
    return NULL;
}

int config_contents_open(const char *path, bool plain, struct stat *status, const char **problem)
{
    int fd;

    /* Looked at before it is opened: opening some devices has effects. */
    *problem = stat(path, status) < 0 ? strerror(errno) : explain_kind(status->st_mode, plain);
    if (*problem)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, status) < 0)
        *problem = strerror(errno);
    else
        *problem = explain_kind(status->st_mode, plain); /* it may be another one by now */
    if (*problem && fd >= 0)
        close(fd);
    return *problem ? -1 : fd;
}

/* Somebody has made an unnamed pipe for us and writes to it, or sits at a terminal. */
static bool has_patient_writer(int fd)
{
    struct statfs system;
    return isatty(fd) || (fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC);
}

/* Waits until there is something to read, at most a step unless the writer is patient. False: there is not. */
static bool wait_for_data(int fd, bool patient)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, patient ? -1 : STEP_MS) != 0;
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

ssize_t config_contents_read(int fd, const struct stat *status, char **text, const char **problem)
{
    bool waits = !S_ISREG(status->st_mode), patient = waits && has_patient_writer(fd), ready = true;
    size_t used = 0, room = 0;
    unsigned silent_steps = 0;
    ssize_t n = 1;

    *text = NULL;
    *problem = NULL;
    while (n != 0 && !*problem) {
        if (!make_room(text, used, &room)) {
            *problem = strerror(ENOMEM);
            break;
        }
        if (waits)
            ready = wait_for_data(fd, patient);
        n = read(fd, *text + used, room - used);
        if (n > 0) {
            used += (size_t)n;
            silent_steps = 0;
            if (used > CONFIG_FILE_BYTES_MAX)
                *problem = "larger than 16 MiB";
        } else if (n == 0 && !ready) {
            *problem = "a FIFO that nobody writes to";
        } else if (n < 0 && errno == EAGAIN) {
            silent_steps += !ready;
            if (silent_steps == SILENCE_STEPS)
                *problem = "nothing comes from it: whoever has it open for writing writes nothing";
        } else if (n < 0 && errno != EINTR) {
            *problem = strerror(errno);
        }
    }
    if (!*problem)
        return (ssize_t)used;
    free(*text);
    *text = NULL;
    return -1;
}
