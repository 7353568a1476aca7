/* worker/mail.h: the orders and messages that a worker's mailbox takes. */
#ifndef WORKER_MAIL_H
#define WORKER_MAIL_H

#include <stdint.h>

#include "base/addr.h"
#include "table/lease.h"

struct survey_request;

/* A worker that finds several orders follows them in this sequence, and before it takes messages. */
enum worker_order {
    ORDER_ACCEPT = 1 << 0,    /* the listening sockets listen now */
    ORDER_CONTINUED = 1 << 1, /* the process was stopped (SIGSTOP) and continues */
    ORDER_ADMIT = 1 << 2,     /* a place is free at a limit where a client of this worker is next */
    ORDER_DRAIN = 1 << 3,     /* stop accepting, and end after the last session. If repeated, the worker checks again whether it can end */
    ORDER_EVICT = 1 << 4,     /* backends have sessions that are to be closed (worker/evict.h) */
    ORDER_FLUSH = 1 << 5,     /* count the bytes of open sessions and flows (worker/flush.h) */
    ORDER_STOP = 1 << 6,      /* close all sessions and end */
};

/* The messages. What one holds belongs to the receiver. */
enum mail_kind {
    MAIL_CLIENT, /* an accepted client that another worker hands over */
    MAIL_SURVEY, /* a query about the sessions or flows */
};

struct mail_client {
    int fd;
    struct lease lease;  /* the places that were taken for it */
    struct addr client;
};

struct mail_survey {
    struct survey_request *request; /* to be answered */
    unsigned worker;                /* the receiver */
};

struct mail {
    enum mail_kind kind;
    union {
        struct mail_client client;
        struct mail_survey survey;
    };
};

/* Releases what an untaken message holds. */
void mail_dispose(void *message);

#endif
