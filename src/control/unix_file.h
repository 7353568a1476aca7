/* control/unix_file.h: the file of a UNIX socket, which stays behind when its process is killed. Control's thread. */
#ifndef CONTROL_UNIX_FILE_H
#define CONTROL_UNIX_FILE_H

#include <stdbool.h>

#include "base/addr.h"

/* Whether the address is a UNIX socket with a file, not an abstract one. */
bool unix_file_is(const struct addr *addr);

/* Removes the existing file of a UNIX socket if no process listens on it. Returns 0, or a negative errno: -EEXIST for another kind of file, -EADDRINUSE for a
 * socket that is served. The test connects to the socket, so call this once: a process that serves it sees a client. */
int unix_file_remove_stale(const struct addr *addr);

#endif
