/* protocol.c: the pattern that fills every payload, and the digest of the sink. Pure functions after protocol_init();
 * any thread. */
#include "protocol.h"

#include <string.h>

#include "base/hash.h"

enum { WINDOW_BYTES = 2 * PROTOCOL_LAP_BYTES };

/* Written by protocol_init() alone. */
static uint64_t window_words[WINDOW_BYTES / 8];

void protocol_init(void)
{
    uint64_t state = UINT64_C(0x70656e73746f636b); /* a constant, so that both ends build the same window */
    for (size_t i = 0; i < WINDOW_BYTES / 8; i++)
        window_words[i] = random_next(&state);
}

uint64_t protocol_mix(uint64_t a, uint64_t b)
{
    uint64_t state = a ^ (b * UINT64_C(0x9e3779b97f4a7c15));
    return random_next(&state);
}

uint64_t protocol_reply_key(uint64_t request_key)
{
    return request_key ^ UINT64_C(0x5d6a2c1f93b7e084);
}

uint16_t protocol_name_check(const char *name)
{
    uint64_t words[PROTOCOL_NAME_BYTES / 8];
    memcpy(words, name, sizeof(words));
    return (uint16_t)protocol_mix(protocol_mix(words[0], words[1]), words[2]);
}

const uint8_t *protocol_span(uint64_t key, uint64_t offset, size_t *length)
{
    uint64_t lap = offset / PROTOCOL_LAP_BYTES;
    uint32_t within = offset % PROTOCOL_LAP_BYTES;
    uint32_t start = (uint32_t)(protocol_mix(key, lap) % PROTOCOL_LAP_BYTES);
    *length = PROTOCOL_LAP_BYTES - within;
    return (const uint8_t *)window_words + start + within;
}

void protocol_fill(uint64_t key, uint64_t offset, uint8_t *out, size_t length)
{
    while (length > 0) {
        size_t run;
        const uint8_t *span = protocol_span(key, offset, &run);
        if (run > length)
            run = length;
        memcpy(out, span, run);
        out += run;
        offset += run;
        length -= run;
    }
}

static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t length)
{
    size_t i = 0;
    while (i < length && a[i] == b[i])
        i++;
    return i;
}

size_t protocol_verify(uint64_t key, uint64_t offset, const uint8_t *data, size_t length)
{
    size_t done = 0;
    while (done < length) {
        size_t run;
        const uint8_t *span = protocol_span(key, offset + done, &run);
        if (run > length - done)
            run = length - done;
        if (memcmp(span, data + done, run) != 0)
            return done + equal_bytes(span, data + done, run);
        done += run;
    }
    return done;
}

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

#define DIGEST_PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define DIGEST_PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)

void protocol_digest_init(struct protocol_digest *digest)
{
    *digest = (struct protocol_digest){.lanes = {1, DIGEST_PRIME_1, DIGEST_PRIME_2, DIGEST_PRIME_1 ^ DIGEST_PRIME_2}};
}

static const uint8_t *digest_blocks(struct protocol_digest *digest, const uint8_t *data, size_t blocks)
{
    uint64_t a = digest->lanes[0], b = digest->lanes[1], c = digest->lanes[2], d = digest->lanes[3];
    for (; blocks > 0; blocks--, data += 32) {
        uint64_t words[4];
        memcpy(words, data, 32);
        a = rotate_left(a + words[0] * DIGEST_PRIME_2, 31) * DIGEST_PRIME_1;
        b = rotate_left(b + words[1] * DIGEST_PRIME_2, 31) * DIGEST_PRIME_1;
        c = rotate_left(c + words[2] * DIGEST_PRIME_2, 31) * DIGEST_PRIME_1;
        d = rotate_left(d + words[3] * DIGEST_PRIME_2, 31) * DIGEST_PRIME_1;
    }
    digest->lanes[0] = a;
    digest->lanes[1] = b;
    digest->lanes[2] = c;
    digest->lanes[3] = d;
    return data;
}

void protocol_digest_add(struct protocol_digest *digest, const uint8_t *data, size_t length)
{
    size_t held = digest->bytes % 32;
    digest->bytes += length;
    if (held > 0) {
        size_t take = 32 - held < length ? 32 - held : length;
        memcpy(digest->rest + held, data, take);
        data += take;
        length -= take;
        if (held + take < 32)
            return;
        digest_blocks(digest, digest->rest, 1);
    }
    data = digest_blocks(digest, data, length / 32);
    memcpy(digest->rest, data, length % 32);
}

uint64_t protocol_digest_value(const struct protocol_digest *digest)
{
    struct protocol_digest last = *digest;
    size_t held = last.bytes % 32;
    memset(last.rest + held, 0, 32 - held); /* the length is mixed in below, so padding and data give different digests */
    digest_blocks(&last, last.rest, 1);
    uint64_t value = last.bytes;
    for (int i = 0; i < 4; i++)
        value = protocol_mix(value, last.lanes[i]);
    return value;
}
