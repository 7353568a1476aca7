/* health/probe_socket.h: the sockets of probes. They do not keep a server on this machine from binding its port. Any thread; the caller owns the descriptors.
 *
 * The kernel chooses a probe's local port from the range for outgoing connections. A backend on this machine may use a port of that range. While it is dead,
 * the kernel may choose the same port:
 *
 *   - for a probe of that backend: the socket then connects to itself (TCP simultaneous open). A normal close would leave TIME-WAIT on the server's address
 *     and port for a minute, so the socket is reset;
 *   - for a probe of another backend: during the probe and its TIME-WAIT, the server can bind the port only if both sockets have SO_REUSEADDR. Servers
 *     usually set it, so probes set it too. */
#ifndef HEALTH_PROBE_SOCKET_H
#define HEALTH_PROBE_SOCKET_H

#include <stdbool.h>

/* Returns a non-blocking stream socket, or -1 with errno set. */
int probe_socket_open(int family);

/* Whether a connected socket is connected to itself, because no server listens. */
bool probe_socket_is_own_peer(int fd);

/* Closes the socket: normally, with FIN, if it is connected to another one; else with RST. Returns the result of close(2). */
int probe_socket_close(int fd);

#endif
