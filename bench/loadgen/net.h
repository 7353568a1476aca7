/* net.h: the socket calls that load and serve share. Any thread. */
#ifndef LOADGEN_NET_H
#define LOADGEN_NET_H

#include <stdbool.h>

#include "base/addr.h"

/* A non-blocking listening socket; a UNIX path that nobody listens on any more is replaced. Negative errno. */
int net_listen(const struct addr *addr);

/* Starts to connect. Returns the descriptor; `*connected` says whether it is already through (UNIX sockets). Negative
 * errno; -EAGAIN: the backlog of a UNIX listener is full, try again later. */
int net_connect(const struct addr *addr, bool *connected);

/* No Nagle delay; does nothing to a UNIX socket. */
void net_nodelay(int fd);

/* Closes such that the peer sees a reset. */
void net_reset(int fd);

/* Takes a pending error off the socket: 0 or a positive errno. */
int net_error(int fd);

/* Raises the soft limit of descriptors to the hard one, so that ten thousand connections work without ulimit. */
void net_raise_descriptor_limit(void);

#endif
