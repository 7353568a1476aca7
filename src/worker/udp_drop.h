/* worker/udp_drop.h: counts and reports dropped datagrams. The worker's thread. */
#ifndef WORKER_UDP_DROP_H
#define WORKER_UDP_DROP_H

#include <stdint.h>

struct listener;
struct worker;

/* Why a datagram is dropped. worker/udp_drop.c has the text of each reason. */
enum udp_drop_reason {
    UDP_DROP_MAX_FLOWS,    /* of the process */
    UDP_DROP_LISTENER_FULL,
    UDP_DROP_SOURCE_FULL,
    UDP_DROP_RATE,
    UDP_DROP_DRAINING,
    UDP_DROP_NO_BACKEND,
    UDP_DROP_NO_RESOURCES, /* this machine lacks descriptors, memory or ports */
    UDP_DROP_UNANSWERABLE, /* no reply to its source address is possible */
    UDP_DROP_TOO_LARGE,
    UDP_DROP_NO_ROOM,      /* the socket's send buffer is full */
    UDP_DROP_NOT_SENT,     /* the kernel refuses to send it */
    UDP_DROP_UNWANTED,     /* a reply where udp_responses says that there is none */
    UDP_DROP_REASONS
};

struct udp_drops {
    uint64_t untold[UDP_DROP_REASONS];  /* number of drops since the last log line */
    uint64_t told_ns[UDP_DROP_REASONS]; /* time of that line; 0: none */
};

/* Counts dropped datagrams, and logs them at most once per second for each reason. `error`: the errno, or 0. */
void udp_drop(struct worker *worker, struct listener *listener, enum udp_drop_reason reason, uint32_t count, int error);

/* The reason for a send that failed with this errno. */
enum udp_drop_reason udp_drop_of_error(int error);

#endif
