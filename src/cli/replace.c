/* cli/replace.c: replaces a file as a whole. Main thread. Owns the temporary file until it is renamed. */
#include "cli/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_NEW = 0644 };

/* Writes all of it. Returns 0 or a negative errno. */
static int write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);

        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
    return 0;
}

/* Gives the new file the mode and owner of the old one. Returns 0 or a negative errno. */
static int copy_mode(int fd, const char *path)
{
    struct stat old;

    if (stat(path, &old) != 0)
        return errno == ENOENT && fchmod(fd, MODE_NEW) == 0 ? 0 : -errno;
    if (!S_ISREG(old.st_mode))
        return -EINVAL;
    (void)!fchown(fd, old.st_uid, old.st_gid); /* another user cannot give files away; then the file is the user's own */
    return fchmod(fd, old.st_mode & 07777) == 0 ? 0 : -errno;
}

/* Makes the rename last through a crash of the machine. */
static int flush_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;

    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return result;
}

/* Replaces the file at `path`, which is not a symbolic link. `temporary` ends with XXXXXX. */
static int replace_target(const char *path, char *temporary, const char *text, size_t bytes, const char **step)
{
    int fd, result;

    *step = "create a file beside it";
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *step = "give the new file its mode";
    result = copy_mode(fd, path);
    if (result == 0) {
        *step = "write to it";
        result = write_all(fd, text, bytes);
    }
    if (result == 0 && fsync(fd) != 0)
        result = -errno;
    if (close(fd) != 0 && result == 0)
        result = -errno;
    if (result == 0) {
        *step = "rename the new file to it";
        result = rename(temporary, path) == 0 ? 0 : -errno;
    }
    if (result != 0) {
        (void)unlink(temporary);
        return result;
    }
    *step = "flush its folder to the disk";
    return flush_folder(path);
}

int replace_file(const char *path, const char *text, size_t bytes, const char **step)
{
    char *resolved = realpath(path, NULL), *temporary = NULL;
    const char *target = resolved ? resolved : path;
    int result;

    *step = "find it";
    if (!resolved && errno != ENOENT)
        return -errno;
    if (asprintf(&temporary, "%s.XXXXXX", target) < 0) {
        free(resolved);
        return -ENOMEM;
    }
    result = replace_target(target, temporary, text, bytes, step);
    free(temporary);
    free(resolved);
    return result;
}
