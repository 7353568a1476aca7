/* worker/mailbox.h: how other threads ask a worker for something: one bounded queue per worker, and an eventfd that its engine watches.
 *
 * Any thread posts; the owner alone takes. Messages are values: whoever posts a descriptor has given it away once the call returned true. */
#ifndef WORKER_MAILBOX_H
#define WORKER_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct ring;

enum mail_kind {
    MAIL_CONNECTION, /* an accepted client, handed over by another worker, with what it took of the connection limits */
    MAIL_ACCEPT,     /* the listening sockets listen now */
    MAIL_CONTINUED,  /* the process was stopped and goes on */
    MAIL_DRAIN,      /* stop accepting; end when the last session has */
    MAIL_STOP,       /* close what is left and end */
};

struct mail {
    enum mail_kind kind;
    int fd;              /* MAIL_CONNECTION */
    uint32_t listener;   /* MAIL_CONNECTION: index into config.listeners */
    struct addr client;  /* MAIL_CONNECTION */
};

struct mailbox {
    struct ring *ring;
    int event_fd;
};

/* 0 or a negative errno. Before the worker starts. */
int mailbox_init(struct mailbox *mailbox);

/* After the worker ended; closes descriptors still in it. Safe on all zero and twice. */
void mailbox_deinit(struct mailbox *mailbox);

/* False: full, nothing was done, the message is still the caller's. Any thread. */
bool mailbox_post(struct mailbox *mailbox, const struct mail *mail);

/* The owner, after it has cleared event_fd: false when empty. */
bool mailbox_take(struct mailbox *mailbox, struct mail *mail);

#endif
