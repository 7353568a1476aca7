/* protocol.h: what `penstock-bench load` and `penstock-bench serve` say to each other, and the bytes they fill it with.
 *
 * Numbers are little-endian. One request at a time on a connection.
 *
 * rpc: the client sends struct protocol_request, then pattern bytes up to request_bytes in all; it gets struct
 * protocol_reply, then pattern bytes up to reply_bytes in all. An echo server sends the request back instead.
 *
 * source: the client sends a bare struct protocol_request and ends its side; it gets struct protocol_reply, then
 * pattern bytes up to reply_bytes in all, then end of stream.
 *
 * sink: the client sends any bytes and ends its side; it gets struct protocol_receipt, then end of stream.
 *
 * echo: any bytes; they come back, then end of stream.
 *
 * The pattern: byte `offset` of the stream with key K is window[start(K, offset / 64 KiB) + offset % 64 KiB], where
 * window is 128 KiB of fixed random bytes. So every position has its own expected value, a stream can be sent without
 * being generated and be checked by memcmp(), and a block that is lost, repeated or moved shows, whatever its size.
 *
 * All functions are pure after protocol_init(); any thread. */
#ifndef LOADGEN_PROTOCOL_H
#define LOADGEN_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_REQUEST_MAGIC UINT32_C(0x51425350) /* "PSBQ" */
#define PROTOCOL_REPLY_MAGIC UINT32_C(0x52425350)   /* "PSBR" */
#define PROTOCOL_RECEIPT_MAGIC UINT32_C(0x44425350) /* "PSBD" */
#define PROTOCOL_NAME_BYTES 24                      /* a backend's name with at least one zero behind it */
#define PROTOCOL_LAP_BYTES 65536u

#define PROTOCOL_REQUEST_CORRUPT 1u /* flag of a reply: what arrived was not what the request's key says */

struct protocol_request {
    uint32_t magic;
    uint32_t request_bytes; /* header included; exactly the header for source */
    uint64_t reply_bytes;   /* wanted, header included */
    uint64_t id;            /* unique within a run: connection in the upper half, number in the lower */
    uint64_t key;           /* of the pattern that follows */
};

struct protocol_reply {
    uint32_t magic;
    uint16_t flags;
    uint16_t name_check; /* protocol_name_check(name): the one field that the client cannot foretell */
    uint64_t reply_bytes;
    uint64_t id;
    char name[PROTOCOL_NAME_BYTES];
};

struct protocol_receipt {
    uint32_t magic;
    uint16_t flags; /* 0 */
    uint16_t name_check;
    uint64_t bytes;
    uint64_t digest;
    char name[PROTOCOL_NAME_BYTES];
};

/* In a reply and in a receipt. */
#define PROTOCOL_NAME_OFFSET 24
_Static_assert(offsetof(struct protocol_reply, name) == PROTOCOL_NAME_OFFSET, "wire format");
_Static_assert(offsetof(struct protocol_receipt, name) == PROTOCOL_NAME_OFFSET, "wire format");
_Static_assert(sizeof(struct protocol_request) == 32, "wire format");
_Static_assert(sizeof(struct protocol_reply) == 48 && sizeof(struct protocol_receipt) == 48, "wire format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are copied to the wire as they are");

/* Builds the window. Once, before the first thread starts. */
void protocol_init(void);

/* Spreads two numbers into one: keys of streams, from a seed and an id. */
uint64_t protocol_mix(uint64_t a, uint64_t b);

/* The key of the reply's pattern, from the request's key. */
uint64_t protocol_reply_key(uint64_t request_key);

/* Checksum of a zero-padded name of PROTOCOL_NAME_BYTES. */
uint16_t protocol_name_check(const char *name);

/* A run of pattern bytes at `offset` of stream `key`, read-only, valid for ever; `*length` says how many (1 to
 * PROTOCOL_LAP_BYTES). */
const uint8_t *protocol_span(uint64_t key, uint64_t offset, size_t *length);

/* Writes `length` pattern bytes from `offset` on. */
void protocol_fill(uint64_t key, uint64_t offset, uint8_t *out, size_t length);

/* How many of the `length` bytes at `data` are right, counted from the first: `length` if all are. */
size_t protocol_verify(uint64_t key, uint64_t offset, const uint8_t *data, size_t length);

/* Digest of a stream that arrives in pieces: the same whatever the pieces, different (but for one chance in 2^64 or so)
 * when a byte is lost, added, changed or moved. Four interleaved multiply-and-rotate lanes in the manner of xxHash64
 * (Yann Collet); not for secrets. */
struct protocol_digest {
    uint64_t lanes[4];
    uint64_t bytes;
    uint8_t rest[32]; /* the last bytes % 32 bytes */
};
void protocol_digest_init(struct protocol_digest *digest);
void protocol_digest_add(struct protocol_digest *digest, const uint8_t *data, size_t length);
uint64_t protocol_digest_value(const struct protocol_digest *digest);

#endif
