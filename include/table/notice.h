/* table/notice.h: the messages of control's mailbox. */
#ifndef TABLE_NOTICE_H
#define TABLE_NOTICE_H

enum notice_kind {
    NOTICE_WORKER_ENDED, /* a worker has closed its sessions and sockets, and its thread no longer uses shared memory */
};

struct notice {
    enum notice_kind kind;
    unsigned worker; /* index of the worker */
};

#endif
