/* net.h: socket functions shared by load and serve. Any thread. */
#ifndef LOADGEN_NET_H
#define LOADGEN_NET_H

#include <stdbool.h>

#include "base/addr.h"

/* Opens a non-blocking listening socket. Replaces a UNIX socket file on which no server listens. Returns the descriptor or a negative errno. */
int net_listen(const struct addr *addr);

/* Starts to connect. Returns the descriptor; `*connected` says whether it is already through (UNIX sockets). Negative
 * errno; -EAGAIN: the backlog of a UNIX listener is full, try again later. */
int net_connect(const struct addr *addr, bool *connected);

/* Disables Nagle's algorithm. Does nothing to a UNIX socket. */
void net_nodelay(int fd);

/* Closes the socket with RST. */
void net_reset(int fd);

/* Returns and clears the pending error of the socket: 0 or a positive errno. */
int net_error(int fd);

/* Raises the soft limit on descriptors to the hard limit, so that ten thousand connections work without ulimit. */
void net_raise_descriptor_limit(void);

#endif
