/* base/hash.c: SipHash-2-4, SplitMix64 and bounded random numbers. Pure functions, any thread; owns nothing.
 *
 * SipHash after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), sections 2.1 to 2.4; the names
 * v0..v3 and m are the paper's. */
#include "base/hash.h"

#include <assert.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static void sip_compress(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

/* Reads the first `length` bytes (at most 8) as a little-endian number on any machine. */
static uint64_t load_little_endian(const unsigned char *bytes, size_t length)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint64_t hash_bytes(const void *data, size_t length, uint64_t key0, uint64_t key1)
{
    struct sip s = {
        .v0 = key0 ^ 0x736f6d6570736575u,
        .v1 = key1 ^ 0x646f72616e646f6du,
        .v2 = key0 ^ 0x6c7967656e657261u,
        .v3 = key1 ^ 0x7465646279746573u,
    };
    const unsigned char *bytes = data;
    size_t left = length;
    for (; left >= 8; left -= 8, bytes += 8)
        sip_compress(&s, load_little_endian(bytes, 8));

    /* The last word carries the length modulo 256 in its highest byte. */
    sip_compress(&s, load_little_endian(bytes, left) | (uint64_t)length << 56);

    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t random_below(uint64_t *state, uint32_t bound)
{
    assert(bound > 0);
    return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}
