/* table/notice.h: what other threads tell control: the messages of its mailbox. */
#ifndef TABLE_NOTICE_H
#define TABLE_NOTICE_H

enum notice_kind {
    NOTICE_WORKER_ENDED, /* its sessions and sockets are gone, and its thread touches nothing shared any more */
};

struct notice {
    enum notice_kind kind;
    unsigned worker; /* index */
};

#endif
