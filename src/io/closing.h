/* io/closing.h: sockets that wait to be closed, after the kernel has ended all of their requests. The engine's thread.
 *
 * Closing a TCP socket takes the kernel some 10 us, and a request that has just arrived would wait that long. If there are few sockets to close and few other
 * events, closing is therefore deferred until a turn has no events. But a peer may wait for the end of its connection.
 *   Input: S, the sockets to close; E, the events of this turn; T, the time since the first of the sockets was added; whether one of them must not be deferred
 *   (a listener).
 *   Output: close all of them, or none. While any is left, the next wait does not sleep.
 *
 *     before events are dispatched:  close if E > 4 or T > 200 us
 *     after that:                    close if E = 0, E > 4 or S > 4, or if one must not be deferred
 *
 *   Example: one client opens a connection for each request. In one turn its FIN arrives (E = 1), and the two sockets of the session are to be closed (S = 2):
 *   they stay. In the next turn its next connection arrives (E = 1) and is accepted; a connection to the backend is started. The turn after that finds nothing
 *   (E = 0): both sockets are closed while the backend works, in 20 us that the client would otherwise have waited.
 *   Constants: a worker with more than four events in a turn will not soon have a turn without any, and its clients wait for one another rather than for a
 *   close. More than four sockets take longer to close than an answer takes. 200 us is the most that a peer has to wait for the end of its connection.
 *   Saves: row churn-1, where p50 is 1.12 times as long and the CPU time 1.06 times without it. Row churn, 16 clients: 1.02 and 1.02 (bench/README). */
#ifndef IO_CLOSING_H
#define IO_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct handles;
struct io;
struct io_sock;

struct closing {
    struct list socks; /* the sockets to close */
    uint64_t since_ns; /* when the first of these sockets was added; no meaning while there are none */
    bool at_once;      /* closing one of these sockets must not be deferred */
};

void closing_init(struct closing *closing);

/* Adds a socket that is in no list and has nothing in flight. `now_ns` is the engine's time. */
void closing_add(struct closing *closing, struct io_sock *sock, uint64_t now_ns);

/* Whether a socket waits to be closed. */
static inline bool closing_any(const struct closing *closing)
{
    return !list_empty(&closing->socks);
}

/* Call these at the beginning and at the end of a dispatch. Each closes all sockets and calls `closing` and `closed` for each, or leaves all of them for later.
 * While closing_any() is true, the next wait must not sleep. */
void closing_before(struct closing *closing, struct handles *handles, const struct io *io);
void closing_after(struct closing *closing, struct handles *handles, const struct io *io);

#endif
