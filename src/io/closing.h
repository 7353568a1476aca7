/* io/closing.h: sockets that are to be closed, for engines whose kernel has let go of them. The engine's thread.
 *
 * Closing a TCP socket takes the kernel some 10 us, during which a request that has just come would wait, and an answer could be on its way. So where there is
 * little to close and little else to do, what else there is goes first. But a peer may be waiting for the end: it is not put off for longer than 200 us, nor by
 * a turn with many events. */
#ifndef IO_CLOSING_H
#define IO_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct handles;
struct io;
struct io_sock;

struct closing {
    struct list socks;
    uint64_t since_ns; /* the first of them is here */
    bool at_once;      /* one of them must not be put off */
};

void closing_init(struct closing *closing);

/* `sock` is in no list, and nothing of it is in flight any more. */
void closing_add(struct closing *closing, struct io_sock *sock, uint64_t now_ns);

static inline bool closing_any(const struct closing *closing)
{
    return !list_empty(&closing->socks);
}

/* At the beginning and at the end of a dispatch: each closes all of them and tells `closed`, or leaves them for later. The next wait must not sleep while
 * closing_any(). */
void closing_before(struct closing *closing, struct handles *handles, const struct io *io);
void closing_after(struct closing *closing, struct handles *handles, const struct io *io);

#endif
