/* udp_protocol.h: the datagrams that `penstock-bench load udp` sends and `penstock-bench serve udp` returns.
 *
 * A datagram is a header and then pattern bytes (protocol.h). A datagram that is shorter than the header has only the beginning of the header, at least
 * UDP_DATAGRAM_MIN bytes. The server returns each datagram as it is. A server with a name changes two things, if the whole header is there: the magic
 * number, and the name with its checksum. Numbers are little-endian.
 *
 * All functions are pure; any thread. */
#ifndef LOADGEN_UDP_PROTOCOL_H
#define LOADGEN_UDP_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

#define UDP_REQUEST_MAGIC UINT32_C(0x55425350) /* "PSBU" */
#define UDP_REPLY_MAGIC UINT32_C(0x56425350)   /* "PSBV" */

struct udp_header {
    uint32_t magic;
    uint32_t run;        /* random number of the run, so that a reply to an earlier run is recognised */
    uint32_t flow;       /* index of the client's socket */
    uint32_t number;     /* of the datagram in its flow, from 0; wraps */
    uint32_t name_check; /* 0, or protocol_name_check(name) */
    char name[PROTOCOL_NAME_BYTES];
};

enum {
    UDP_DATAGRAM_MIN = offsetof(struct udp_header, name_check),
    UDP_DATAGRAM_MAX = 65507 /* over IPv4 */
};

_Static_assert(sizeof(struct udp_header) == 44, "wire format");

/* Returns the key of the pattern that follows the header. */
uint64_t udp_protocol_key(const struct udp_header *header);

/* Returns the size of a datagram: a random number in [min, max] that depends on the seed, the flow and the number. */
size_t udp_protocol_size(size_t min, size_t max, uint64_t seed, uint32_t flow, uint32_t number);

/* Turns the request at `data` into the reply of the server `name`, a zero-padded field of PROTOCOL_NAME_BYTES that is not empty. Does nothing to a
 * datagram that is too short or not a request. */
void udp_protocol_sign(uint8_t *data, size_t length, const char *name);

/* Whether the name in a complete header is right: of a request, empty; of a reply, a name with the right checksum. */
bool udp_protocol_name_is_right(const struct udp_header *header);

#endif
