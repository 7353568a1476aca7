/* io/congestion.h: which congestion control (TCP_CONGESTION, tcp(7)) the connections get. Any thread.
 *
 * A system whose default is BBR paces every connection, also those that never leave the machine: there the pacing has nothing to adapt to, and costs throughput
 * and CPU time (bench/README). So `auto` takes reno, which every kernel has and usually allows to everybody, for peers on the loopback. A socket is paced for
 * good once BBR was in charge of it as a connection (the kernel's sk_pacing_status): that is why a listener on a loopback address has reno itself, and why
 * one on a wildcard address has a loopback address beside it (control/binding.h). Who comes from the machine by another way has reno after the handshake, with
 * only part of the effect. */
#ifndef IO_CONGESTION_H
#define IO_CONGESTION_H

#include "base/addr.h"

/* What is set for a loopback peer: a name, or NULL while the system's default does not pace. Asks the kernel. */
const char *congestion_on_loopback(void);

/* The algorithm to set for a client (or for a bound address, which its clients share): NULL is the system's. `configured` is a name, "auto", or NULL for the
 * system's; `on_loopback` is what congestion_on_loopback() has said. */
const char *congestion_for_client(const char *configured, const char *on_loopback, const struct addr *client);

/* The same for a backend, of whose connections a configured name says nothing. */
const char *congestion_for_backend(const char *configured, const char *on_loopback, const struct addr *backend);

#endif
