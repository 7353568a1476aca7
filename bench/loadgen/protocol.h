/* protocol.h: the messages between `penstock-bench load` and `penstock-bench serve`, and the pattern bytes of their payload.
 *
 * Numbers are little-endian. A connection carries one request at a time.
 *
 * rpc: the client sends struct protocol_request and then pattern bytes; request_bytes is the total. The server replies with struct
 * protocol_reply and then pattern bytes; reply_bytes is the total. An echo server returns the request instead.
 *
 * source: the client sends a bare struct protocol_request and the end of its stream. The server replies as for rpc, and then ends the stream.
 *
 * sink: the client sends any bytes and the end of its stream. The server replies with struct protocol_receipt and the end of the stream.
 *
 * echo: the client sends any bytes and the end of its stream. The server returns the bytes, and then ends the stream.
 *
 * The pattern: byte `offset` of the stream with key K is window[start(K, offset / 64 KiB) + offset % 64 KiB]. The window is 128 KiB of fixed random
 * bytes. Every position of a stream therefore has its own expected value. A stream is sent from the window without a copy and verified by memcmp(). A
 * block of any size that is lost, repeated or moved is detected.
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
#define PROTOCOL_NAME_BYTES 24                      /* size of the field for a backend's name, with at least one terminating zero */
#define PROTOCOL_LAP_BYTES 65536u

#define PROTOCOL_REQUEST_CORRUPT 1u /* flag of a reply: the request did not have the pattern of its key */

struct protocol_request {
    uint32_t magic;
    uint32_t request_bytes; /* header included; exactly the header for source */
    uint64_t reply_bytes;   /* requested size of the reply, header included */
    uint64_t id;            /* unique within a run: index of the connection in the upper half, number of the request in the lower */
    uint64_t key;           /* of the pattern that follows */
};

struct protocol_reply {
    uint32_t magic;
    uint16_t flags;
    uint16_t name_check; /* protocol_name_check(name); the client cannot predict the name, so it verifies the name by this checksum */
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

/* Offset of the name in a reply and in a receipt. */
#define PROTOCOL_NAME_OFFSET 24
_Static_assert(offsetof(struct protocol_reply, name) == PROTOCOL_NAME_OFFSET, "wire format");
_Static_assert(offsetof(struct protocol_receipt, name) == PROTOCOL_NAME_OFFSET, "wire format");
_Static_assert(sizeof(struct protocol_request) == 32, "wire format");
_Static_assert(sizeof(struct protocol_reply) == 48 && sizeof(struct protocol_receipt) == 48, "wire format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are copied to the wire as they are");

/* Builds the window. It is called once, before the first thread starts. */
void protocol_init(void);

/* Hashes two numbers to one. The key of a stream is the hash of a seed and an id. */
uint64_t protocol_mix(uint64_t a, uint64_t b);

/* Returns the key of the reply's pattern. */
uint64_t protocol_reply_key(uint64_t request_key);

/* Returns the checksum of a zero-padded name of PROTOCOL_NAME_BYTES. */
uint16_t protocol_name_check(const char *name);

/* Returns the pattern bytes from `offset` of stream `key` on, and sets `*length` to their number (1 to PROTOCOL_LAP_BYTES). They are read-only and remain
 * valid until the process ends. */
const uint8_t *protocol_span(uint64_t key, uint64_t offset, size_t *length);

/* Writes `length` pattern bytes from `offset` of stream `key` on to `out`. */
void protocol_fill(uint64_t key, uint64_t offset, uint8_t *out, size_t length);

/* Returns the number of bytes at `data` before the first wrong one; `length` if all are right. */
size_t protocol_verify(uint64_t key, uint64_t offset, const uint8_t *data, size_t length);

/* Digest of a stream that arrives in pieces. It does not depend on how the stream is divided. If a byte is lost, added, changed or moved, the digest
 * differs, except with a probability of about 2^-64. It has four interleaved multiply-and-rotate lanes, like xxHash64 (Yann Collet). It is not for secrets. */
struct protocol_digest {
    uint64_t lanes[4];
    uint64_t bytes;
    uint8_t rest[32]; /* the bytes after the last whole block of 32; their number is bytes % 32 */
};
void protocol_digest_init(struct protocol_digest *digest);
void protocol_digest_add(struct protocol_digest *digest, const uint8_t *data, size_t length);
uint64_t protocol_digest_value(const struct protocol_digest *digest);

#endif
