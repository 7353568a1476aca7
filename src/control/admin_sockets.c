/* control/admin_sockets.c: opens the sockets of the admin thread. Control's thread; owns them until that thread takes them, and their files to the end. */
#include "control/admin_sockets.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/unix_file.h"
#include "log/log.h"

enum { ADMIN, HTTP }; /* in `files` */

struct admin_sockets admin_sockets_none(void)
{
    return (struct admin_sockets){.admin_fd = -1, .http_fd = -1};
}

static const char *find_advice(const struct addr *addr, int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; another process serves this address: stop it, or choose another address";
    case EEXIST:
        return "; a file of another kind is there: remove it";
    case ENOENT:
        return "; create its directory first";
    case EACCES:
    case EPERM:
        return addr_family(addr) == AF_UNIX ? "; the user that starts penstock must be able to write to the directory"
                                            : "; a port below 1024 needs root or CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "; this machine has no such address";
    default:
        return "";
    }
}

static int bind_socket(const struct addr *addr)
{
    const int on = 1;
    int fd = socket(addr_family(addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), result = 0;

    if (fd < 0)
        return -errno;
    if (addr_family(addr) != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        result = -errno;
    if (result == 0 && addr_family(addr) == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        result = -errno;
    if (result == 0 && bind(fd, &addr->sa, addr->length) < 0)
        result = -errno;
    if (result == 0)
        return fd;
    (void)close(fd);
    return result;
}

/* Removes a file only if it is the one that we have made: another Penstock may have replaced it after it was deleted. */
static void remove_file(struct admin_file *file)
{
    struct stat status;

    if (file->path && lstat(file->path, &status) == 0 && status.st_dev == file->device && status.st_ino == file->inode && unlink(file->path) < 0)
        log_warn("cannot remove %s: %s; remove it by hand, and put it into a directory that the configured user may write to", file->path, strerror(errno));
    file->path = NULL;
}

static int open_socket(const struct addr *addr, struct admin_file *file)
{
    struct stat status;
    int fd = bind_socket(addr);

    if (fd == -EADDRINUSE && unix_file_is(addr)) {
        int result = unix_file_remove_stale(addr);

        if (result < 0)
            return result;
        fd = bind_socket(addr);
    }
    if (fd >= 0 && unix_file_is(addr) && lstat(addr->un.sun_path, &status) == 0)
        *file = (struct admin_file){.path = addr->un.sun_path, .device = status.st_dev, .inode = status.st_ino};
    return fd;
}

/* The directory of the default socket, such as /run/penstock, is empty after each boot. */
static void make_directory(const struct addr *addr, const struct identity *identity)
{
    char path[sizeof(addr->un.sun_path)];
    char *slash;

    (void)snprintf(path, sizeof(path), "%s", addr->un.sun_path);
    slash = strrchr(path, '/');
    *slash = '\0';
    if (mkdir(path, 0755) == 0 && identity->changes)
        (void)chown(path, identity->user, identity->group); /* a failure shows when the file is to be removed at the end */
}

/* Returns 0 or a negative errno. */
static int set_rights(const struct config *config, const struct identity *identity, gid_t group)
{
    const char *path = config->admin.un.sun_path;
    bool own_group = config->admin_group;

    if ((identity->changes || own_group) && chown(path, identity->changes ? identity->user : (uid_t)-1, own_group ? group : identity->group) < 0)
        return -errno;
    return chmod(path, config->admin_mode) < 0 ? -errno : 0;
}

static int open_admin(struct admin_sockets *sockets, const struct config *config, const struct identity *identity)
{
    const struct group *group = config->admin_group ? getgrnam(config->admin_group) : NULL;
    char text[ADDR_TEXT_BYTES];
    const char *doing = "opened";
    int result;

    if (config->admin_group && !group) {
        log_error("admin_group = %s: there is no such group", config->admin_group);
        return -1;
    }
    if (config->admin_is_default)
        make_directory(&config->admin, identity);
    result = sockets->admin_fd = open_socket(&config->admin, &sockets->files[ADMIN]);
    if (result >= 0) {
        doing = "given its mode and owner";
        result = set_rights(config, identity, group ? group->gr_gid : 0);
    }
    if (result >= 0)
        return 0;
    (void)snprintf(sockets->warning, sizeof(sockets->warning), "admin = %s: cannot be %s: %s%s", addr_format(&config->admin, text, sizeof(text)), doing,
                   strerror(-result), find_advice(&config->admin, -result));
    if (sockets->admin_fd >= 0)
        (void)close(sockets->admin_fd);
    sockets->admin_fd = -1;
    remove_file(&sockets->files[ADMIN]);
    if (config->admin_is_default)
        return 0;
    log_error("%s", sockets->warning);
    return -1;
}

int admin_sockets_open(struct admin_sockets *sockets, const struct config *config, const struct identity *identity)
{
    char text[ADDR_TEXT_BYTES];

    *sockets = admin_sockets_none();
    if (addr_family(&config->admin) != AF_UNSPEC && open_admin(sockets, config, identity) < 0)
        return -1;
    if (addr_family(&config->http) == AF_UNSPEC)
        return 0;
    sockets->http_fd = open_socket(&config->http, &sockets->files[HTTP]);
    if (sockets->http_fd >= 0)
        return 0;
    log_error("http = %s: cannot be opened: %s%s", addr_format(&config->http, text, sizeof(text)), strerror(-sockets->http_fd),
              find_advice(&config->http, -sockets->http_fd));
    sockets->http_fd = -1;
    admin_sockets_close(sockets);
    return -1;
}

void admin_sockets_close(struct admin_sockets *sockets)
{
    if (sockets->admin_fd >= 0)
        (void)close(sockets->admin_fd);
    if (sockets->http_fd >= 0)
        (void)close(sockets->http_fd);
    remove_file(&sockets->files[ADMIN]);
    remove_file(&sockets->files[HTTP]);
    *sockets = admin_sockets_none();
}
