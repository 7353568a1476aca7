/* log/access.h: what the access log says about a session or a UDP flow, as plain values. They do not refer to anything that may be freed, because the log
 * thread makes the line from them later. */
#ifndef LOG_ACCESS_H
#define LOG_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define ACCESS_NAME_BYTES 64 /* of a name in the configuration, with its zero */
#define ACCESS_UNKNOWN UINT64_MAX /* a time that does not exist */

enum access_event {
    ACCESS_OPEN,  /* a backend is connected, or a flow has begun */
    ACCESS_ALIVE, /* it is still open: access_log_every */
    ACCESS_END,
};

/* What the kernel knows about a TCP connection (TCP_INFO). */
struct access_leg {
    bool known;           /* false: not TCP, or never connected */
    uint32_t rtt_us;      /* smoothed round-trip time */
    uint32_t retransmits; /* segments that were sent again */
};

struct access_record {
    uint64_t number;      /* of the session or flow in its worker */
    uint32_t worker;
    uint8_t event;        /* enum access_event */
    bool is_flow;
    bool has_legs;        /* `legs` are written */
    bool spliced[2];      /* some of the bytes were spliced. All pairs here: [0] is from the client, or the client's side; [1] the backend's */
    struct access_leg legs[2];
    uint32_t tries;       /* attempts to connect, with the one that succeeded */
    uint32_t replays;     /* backends that got what another one had got before */
    uint64_t connect_us, first_byte_us, duration_us; /* since the client was accepted; first_byte_us: since the backend was connected. Or ACCESS_UNKNOWN */
    uint64_t bytes[2];
    uint64_t datagrams[2]; /* of a flow */
    const char *end, *reason; /* constant texts: the termination code, and the same in words. Only for ACCESS_END */
    struct addr client, addr; /* `addr`: of the backend. All zero: unknown */
    char listener[ACCESS_NAME_BYTES];
    char pool[ACCESS_NAME_BYTES];
    char backend[ACCESS_NAME_BYTES]; /* "": none */
};

/* Copies a name of the configuration. */
void access_name(char out[ACCESS_NAME_BYTES], const char *name);

#endif
