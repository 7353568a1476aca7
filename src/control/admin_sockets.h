/* control/admin_sockets.h: the sockets of the admin thread: the admin socket and that of `http`. Control's thread. */
#ifndef CONTROL_ADMIN_SOCKETS_H
#define CONTROL_ADMIN_SOCKETS_H

#include <sys/types.h>

#include "config/config.h"
#include "control/identity.h"

/* The file of a UNIX socket. */
struct admin_file {
    const char *path; /* borrowed from the configuration; NULL: none */
    dev_t device;     /* this and the next: to recognise it as ours */
    ino_t inode;
};

struct admin_sockets {
    int admin_fd, http_fd;       /* bound, not listening; -1: off, or the admin thread has it */
    struct admin_file files[2];
    char warning[320];           /* why the default admin socket could not be opened; "": it was, or is off */
};

/* Binds the sockets, and gives the admin socket its mode and owners, while the process still has the rights of its start. Creates the directory of the default
 * admin socket. Call it while the start lock is held, because it takes a socket on which nobody listens for a stale one. Returns 0, or -1 after logging why
 * not; then everything is closed. If only the default admin socket fails, returns 0 and sets `warning`. */
int admin_sockets_open(struct admin_sockets *sockets, const struct config *config, const struct identity *identity);

/* Closes what the admin thread has not taken, and removes the socket files that are still ours. Accepts one that was not opened: admin_sockets_none(). */
void admin_sockets_close(struct admin_sockets *sockets);

/* Returns the value of sockets that were not opened. */
struct admin_sockets admin_sockets_none(void);

#endif
