/* control/identity.h: the user and group that the process runs as. Control's thread. */
#ifndef CONTROL_IDENTITY_H
#define CONTROL_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

struct identity {
    uid_t user;
    gid_t group;
    bool changes; /* the process is not this user and group yet */
};

/* Looks up `user` and `group` of the configuration. Where they are not set, `identity` has those of the process. Returns 0, or -1 after logging that
 * there is no such user or group. */
int identity_find(struct identity *identity, const struct config *config);

/* Switches the process to `identity`. Call it before any thread starts. Returns 0, or -1 after logging why it failed. */
int identity_become(const struct identity *identity, const struct config *config);

#endif
