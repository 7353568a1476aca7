/* health/probe_socket.h: the sockets of probes. They do not keep a server on this machine from binding its port. Any thread; the caller owns the descriptors.
 *
 * The kernel chooses a probe's local port from the range for outgoing connections. A backend on this machine may use a port of that range. While it is dead,
 * the kernel may choose the same port:
 *
 *   - for a probe of that backend: the socket then connects to itself (TCP simultaneous open). A normal close would leave TIME-WAIT on the server's address
 *     and port for a minute, so the socket is reset;
 *   - for a probe of another backend: during the probe and its TIME-WAIT, the server can bind the port only if both sockets have SO_REUSEADDR. Servers
 *     usually set it, so probes set it too.
 *
 * A UDP socket that is connected to itself is closed at once, which frees the port. The second case ends with the probe. Until then, a UDP server cannot bind
 * the port unless it sets SO_REUSEADDR, which few UDP servers do. */
#ifndef HEALTH_PROBE_SOCKET_H
#define HEALTH_PROBE_SOCKET_H

#include <stdbool.h>

#include "base/addr.h"

/* Returns a non-blocking stream socket, or -1 with errno set. */
int probe_socket_open(int family);

/* Returns a non-blocking datagram socket that is connected to an IP address, or -1 with errno set. Sending and receiving on it fails when an ICMP error has
 * arrived. Close it with close(2). */
int probe_socket_open_udp(const struct addr *addr);

/* Whether a connected socket is connected to itself, because no server listens. */
bool probe_socket_is_own_peer(int fd);

/* Closes the socket: normally, with FIN, if it is connected to another one; else with RST. Returns the result of close(2). */
int probe_socket_close(int fd);

#endif
