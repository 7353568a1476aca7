/* io/closing.h: sockets that are to be closed, for engines whose kernel has let go of them. The engine's thread.
 *
 * Closing a TCP socket takes the kernel some 10 us, during which a request that has just come would wait, and an answer could be on its way. So what else there
 * is to do goes first, as long as little is to be closed. */
#ifndef IO_CLOSING_H
#define IO_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct handles;
struct io_sock;

struct closing {
    struct list socks;
    uint32_t turns; /* in which they have been put off */
};

void closing_init(struct closing *closing);

/* `sock` is in no list, and nothing of it is in flight any more. */
void closing_add(struct closing *closing, struct io_sock *sock);

static inline bool closing_any(const struct closing *closing)
{
    return !list_empty(&closing->socks);
}

/* At the end of a dispatch that was `busy` with other events or not: closes them and tells `closed`, now or after one of the next turns; the next wait must not
 * sleep while closing_any(). */
void closing_tell(struct closing *closing, struct handles *handles, bool busy);

#endif
