/* test/sim/tap.h: taps for the simulation. They hold, inject and pass bytes as the seed says, and keep a record from which a peer knows what it must
 * receive. Test thread. */
#ifndef TEST_SIM_TAP_H
#define TEST_SIM_TAP_H

#include <stdbool.h>
#include <stdint.h>

enum { TAP_INJECTIONS_MAX = 64, TAP_INJECTED_BYTES_MAX = 16384 };

struct peer;
struct session;
struct world;

/* What the tap of one direction injected: each time `bytes` bytes of its own, after `place` bytes of the source. */
struct tap_record {
    struct {
        uint64_t place;
        uint32_t bytes;
    } injections[TAP_INJECTIONS_MAX];
    uint32_t count;
    uint32_t injected;  /* total number of injected bytes */
    uint64_t passed;    /* number of bytes of the source that were passed on */
    uint32_t met;       /* number of injections that the reader has read completely */
    uint32_t met_bytes; /* number of bytes that it has read of the next injection */
    uint32_t read;      /* total number of injected bytes that it has read */
};

/* For the field `relaying` of struct worker_shared: installs a tap in each direction, by chance. */
void tap_world_relaying(struct session *session);

/* Removes the injected bytes from what the peer has read, and returns how many bytes are left. Fails the run if the injected bytes are wrong. */
uint32_t tap_strip(struct peer *peer, uint8_t *bytes, uint32_t got);

/* Whether the peer has read everything that was injected. */
bool tap_heard(const struct peer *peer);

#endif
