/* io/congestion.h: which congestion control (TCP_CONGESTION, tcp(7)) connections get. Any thread.
 *
 * If the system's default is BBR, the kernel paces every connection, also those that never leave the machine. There, pacing has nothing to adapt to and costs
 * throughput and CPU time. `auto` therefore uses reno for peers on the loopback. Every kernel has reno, and it is usually allowed to every user.
 *   Input: the configured value, the system's default, and the address of the peer.
 *   Output: the name to set, or "-": none is set, and the system's default stays.
 *
 *     configured   default   client on loopback   other client   backend on loopback   other backend
 *     auto         bbr       reno                 -              reno                  -
 *     auto         other     -                    -              -                     -
 *     NAME         bbr       NAME                 NAME           reno                  -
 *     NAME         other     NAME                 NAME           -                     -
 *     system       any       -                    -              -                     -
 *
 *   Example: the default is bbr, the value auto, a client comes from 192.0.2.7, and its backend is 127.0.0.1:8001. The client's connection keeps bbr; the
 *   backend's gets reno.
 *   Saves: row bulk, which costs 1.16 times the CPU time per byte without it (bench/README).
 *
 * Once a connection has used BBR, its socket is paced for good (sk_pacing_status in the kernel). That is why a listener on a loopback address itself uses
 * reno, and why a listener on a wildcard address has a second socket on a loopback address (control/binding.h). A client on this machine that connects by
 * another address gets reno after the handshake, which has only part of the effect. */
#ifndef IO_CONGESTION_H
#define IO_CONGESTION_H

#include "base/addr.h"

/* Returns the algorithm for loopback peers, or NULL if the system's default does not pace. The text is constant. Asks the kernel for its default. */
const char *congestion_on_loopback(void);

/* Returns the algorithm to set for a client, or for a bound address whose clients inherit it; NULL: none, the system's default stays. `configured` is a name,
 * "auto", or NULL for the system's default. `on_loopback` is the result of congestion_on_loopback(). A result is one of these two pointers. */
const char *congestion_for_client(const char *configured, const char *on_loopback, const struct addr *client);

/* The same for connections to a backend, to which a configured name does not apply. */
const char *congestion_for_backend(const char *configured, const char *on_loopback, const struct addr *backend);

#endif
