/* health/probe_socket.h: the sockets of probes, so that a probe keeps no local port from the server that it belongs to.
 *
 * The kernel draws a probe's local port from the range for outgoing connections. A backend on this machine may have a
 * port of that range, and while it is dead the kernel may draw that very port:
 *
 *   - for a probe of that backend: the socket connects to itself (TCP simultaneous open). Closed in order, it would
 *     leave TIME-WAIT on the server's address and port for a minute; so it is reset.
 *   - for a probe of another backend: while it lasts, and during its TIME-WAIT after that, the port can be bound only
 *     if both sockets have SO_REUSEADDR. Servers usually have it, so probes have it, too.
 *
 * Any thread; the caller owns the descriptors. */
#ifndef HEALTH_PROBE_SOCKET_H
#define HEALTH_PROBE_SOCKET_H

#include <stdbool.h>

/* A stream socket that does not block, or -1 with errno set. */
int probe_socket_open(int family);

/* Whether a connected socket is connected to itself: nobody else is there. */
bool probe_socket_is_own_peer(int fd);

/* Closes it: in order (FIN) when it is connected to someone else. Returns what close(2) returns. */
int probe_socket_close(int fd);

#endif
