/* worker/mail.h: what other threads ask of a worker through its mailbox: orders and messages. */
#ifndef WORKER_MAIL_H
#define WORKER_MAIL_H

#include <stdint.h>

#include "base/addr.h"
#include "table/lease.h"

/* A worker follows the orders that it finds together in this sequence, and before the messages. */
enum worker_order {
    ORDER_ACCEPT = 1 << 0,    /* the listening sockets listen now */
    ORDER_CONTINUED = 1 << 1, /* the process was stopped and goes on */
    ORDER_ADMIT = 1 << 2,     /* a place is free in a limit at which this worker's client is next */
    ORDER_DRAIN = 1 << 3,     /* stop accepting; end when the last session has. Given again: look again whether that is now */
    ORDER_STOP = 1 << 4,      /* close what is left and end */
};

/* The message: an accepted client, handed over by another worker. Whoever posts it has given away the descriptor and the lease. */
struct mail {
    int fd;
    struct lease lease;  /* the places that were taken for it */
    struct addr client;
};

#endif
