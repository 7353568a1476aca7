/* control/unix_file.c: the file of a UNIX socket. Control's thread; owns nothing. */
#include "control/unix_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool unix_file_is(const struct addr *addr)
{
    return addr_family(addr) == AF_UNIX && addr->un.sun_path[0] != '\0';
}

int unix_file_remove_stale(const struct addr *addr)
{
    struct stat status;
    int fd, error;

    if (stat(addr->un.sun_path, &status) < 0) /* a dangling link, or removed in the meantime */
        return -EEXIST;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    error = connect(fd, &addr->sa, addr->length) < 0 ? errno : 0;
    (void)close(fd);
    if (error != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(addr->un.sun_path) < 0 ? -errno : 0;
}
