/* net.h: socket functions shared by load and serve. Any thread. */
#ifndef LOADGEN_NET_H
#define LOADGEN_NET_H

#include <stdbool.h>

#include "base/addr.h"

/* Opens a non-blocking listening socket. Replaces a UNIX socket file on which no server listens. Returns the descriptor or a negative errno. */
int net_listen(const struct addr *addr);

/* Starts to connect. Returns the descriptor or a negative errno; -EAGAIN: the backlog of a UNIX listener is full, and the caller tries again later.
 * `*connected` is set to whether the connection is already established; a UNIX socket is connected at once. */
int net_connect(const struct addr *addr, bool *connected);

/* Disables Nagle's algorithm. Does nothing to a UNIX socket. */
void net_nodelay(int fd);

/* Closes the socket with RST. */
void net_reset(int fd);

/* Returns and clears the pending error of the socket: 0 or a positive errno. */
int net_error(int fd);

/* Raises the soft limit on descriptors to the hard limit, so that the user need not raise it for thousands of connections. */
void net_raise_descriptor_limit(void);

#endif
