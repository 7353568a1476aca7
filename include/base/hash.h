/* base/hash.h: keyed hash and random numbers. Pure functions, any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of `length` bytes under the 128-bit key {key0, key1}. A client that does
 * not know the key cannot choose addresses that all map to one backend. The result is the same on every machine. */
uint64_t hash_bytes(const void *data, size_t length, uint64_t key0, uint64_t key1);

/* SplitMix64 (Steele, Lea, Flood, 2014): returns the next number of the generator whose whole state is `*state`. Not suitable for secrets. */
uint64_t random_next(uint64_t *state);

/* Returns a random number in [0, bound), with negligible modulo bias (Lemire's multiply-shift on 32 bits). `bound` is at least 1. */
uint32_t random_below(uint64_t *state, uint32_t bound);

#endif
