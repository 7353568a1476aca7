/* io/datagram.h: datagrams, which an engine receives and sends in batches. The worker's thread.
 *
 * The kernel can deliver and take a train in one piece: consecutive datagrams of one sender and one receiver, all of the same size except that the last one may
 * be shorter (UDP_GRO, UDP_SEGMENT; udp(7)). A train keeps the boundaries of its datagrams. */
#ifndef IO_DATAGRAM_H
#define IO_DATAGRAM_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct io;
struct io_sock;

/* Size of a receive buffer: any datagram and any train fits. A smaller buffer would cut trains. */
#define IO_DATAGRAM_BYTES 65536
/* Largest payload of a datagram over IPv4, and largest train that is sent. */
#define IO_DATAGRAM_SEND_BYTES 65507
enum {
    IO_DATAGRAMS_MAX = 32, /* in a batch */
    IO_TRAIN_MAX = 64,     /* datagrams in a train: UDP_MAX_SEGMENTS of older kernels */
};

/* An IP address and port. */
union io_endpoint {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* An address of this machine, without a port. `family` AF_UNSPEC: not known. */
struct io_local {
    sa_family_t family;
    uint32_t interface;  /* index of the interface; 0: any */
    union {
        struct in_addr in;
        struct in6_addr in6;
    };
};

/* A received datagram or train. */
struct io_datagram {
    const uint8_t *data;       /* in a buffer of the batch */
    uint32_t bytes;
    uint16_t segment_bytes;    /* of a train: size of each of its datagrams but the last; 0: this is one datagram */
    bool cut;                  /* the kernel dropped bytes, because the datagram was larger than the buffer */
    const union io_endpoint *peer; /* the sender */
    struct io_local local;     /* the address that it was sent to, on sockets that were told to report it */
    bool to_group;             /* and that was a broadcast or multicast address: all sockets that are bound to the port have got a copy */
};

/* A datagram or a train to send. Everything that it points to is borrowed during the call. */
struct io_outgoing {
    const union io_endpoint *peer;  /* the receiver; NULL: the socket is connected */
    const struct io_local *local;   /* the source address; NULL: the socket's own */
    struct iovec *parts;            /* the payload */
    uint32_t part_count;            /* at most 2 * IO_TRAIN_MAX */
    uint32_t bytes;                 /* of all parts */
    uint16_t segment_bytes;         /* as in struct io_datagram */
    int error;                      /* result: 0, or the positive errno with which the kernel refused it, or a part of the train */
};

/* Whether an errno of a connected socket means that its peer takes no datagrams. It may be about an earlier datagram, of which an ICMP message has come. */
static inline bool io_peer_is_gone(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* The buffers of received datagrams. */
struct io_batch;

/* Makes a batch. The memory of its buffers is used up only as far as large datagrams arrive. NULL: out of memory. */
struct io_batch *io_batch_new(void);
/* NULL is allowed. */
void io_batch_free(struct io_batch *batch);

/* Datagram `i` of the last call that received it. Valid until the place is used again. */
const struct io_datagram *io_batch_at(const struct io_batch *batch, unsigned i);

#endif
