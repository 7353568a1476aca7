/* admin/exchange.h: connections, and the requests on them, as the HTTP library reports them. Only this, exchange.c and server.c know the library
 * (libmicrohttpd). Admin thread. */
#ifndef ADMIN_EXCHANGE_H
#define ADMIN_EXCHANGE_H

#include <microhttpd.h>

#include "admin/routes.h"
#include "base/list.h"

/* Maximum number of bytes of all answers that clients have not read yet, so that clients that read slowly cannot make the process grow. */
#define EXCHANGE_UNREAD_BYTES_MAX ((size_t)64 << 20)

struct exchange_totals {
    size_t unread_bytes;     /* of answers whose clients have not read all */
    uint64_t displaced;      /* connections that were closed for a new one */
    uint64_t told_displaced; /* how many of them are in the log */
    uint64_t told_at_ns;
};

/* One of the two sockets. */
struct endpoint {
    struct MHD_Daemon *daemon; /* NULL: this socket is off */
    bool read_only;
    const struct admin_service *service;
    struct exchange_totals *totals; /* of both */
    struct list connections;        /* the one that has waited longest first */
    unsigned connection_count;
    bool has_room;                  /* a connection has ended: if all places were taken, the library accepts again only when it runs once more */
};

/* Makes the library serve the listening socket, which it owns from here on. Returns 0 or a negative errno. */
int exchange_open(struct endpoint *endpoint, int fd);

/* Closes the socket and its connections. Accepts an endpoint that was not opened. */
void exchange_close(struct endpoint *endpoint);

#endif
