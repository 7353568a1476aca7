/* control/identity.c: the user and group that the process runs as. Control's thread, before any other thread starts; owns nothing. */
#include "control/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "log/log.h"

int identity_find(struct identity *identity, const struct config *config)
{
    *identity = (struct identity){.user = getuid(), .group = getgid()};
    if (config->user) {
        const struct passwd *user;

        errno = 0;
        user = getpwnam(config->user);
        if (!user) {
            log_error("user = %s: %s", config->user, errno ? strerror(errno) : "there is no such user");
            return -1;
        }
        identity->user = user->pw_uid;
        identity->group = user->pw_gid;
    }
    if (config->group) {
        const struct group *group;

        errno = 0;
        group = getgrnam(config->group);
        if (!group) {
            log_error("group = %s: %s", config->group, errno ? strerror(errno) : "there is no such group");
            return -1;
        }
        identity->group = group->gr_gid;
    }
    identity->changes = identity->user != getuid() || identity->group != getgid();
    return 0;
}

int identity_become(const struct identity *identity, const struct config *config)
{
    int result;

    if (!identity->changes)
        return 0;
    result = config->user ? initgroups(config->user, identity->group) : setgroups(1, &identity->group);
    if (result == 0)
        result = setgid(identity->group);
    if (result == 0)
        result = setuid(identity->user);
    if (result == 0)
        return 0;
    log_error("cannot switch to %s%s%s: %s; start as root, or without user and group", config->user ? config->user : "",
              config->user && config->group ? ":" : "", config->group ? config->group : "", strerror(errno));
    return -1;
}
