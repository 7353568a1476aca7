/* test/sim/tap.h: taps for the simulation: they hold, inject and pass bytes as the seed says, and keep a record by which the peers know what must come. */
#ifndef TEST_SIM_TAP_H
#define TEST_SIM_TAP_H

#include <stdbool.h>
#include <stdint.h>

enum { TAP_INJECTIONS_MAX = 64, TAP_INJECTED_BYTES_MAX = 16384 };

struct peer;
struct session;
struct world;

/* What the tap of one direction did to its bytes: `bytes` of its own after `place` bytes of the source's. */
struct tap_record {
    struct {
        uint64_t place;
        uint32_t bytes;
    } injections[TAP_INJECTIONS_MAX];
    uint32_t count;
    uint32_t injected;  /* bytes in all */
    uint64_t passed;    /* bytes of the source that went on */
    uint32_t met;       /* injections that the reader has read wholly, */
    uint32_t met_bytes; /* and how much of the next, */
    uint32_t read;      /* of those bytes in all */
};

/* Of struct worker_shared: may install a tap in each direction. */
void tap_world_relaying(struct session *session);

/* Takes what a tap injected out of what the peer has read: how many bytes are left. Fails the world when they are not as they must be. */
uint32_t tap_strip(struct peer *peer, uint8_t *bytes, uint32_t got);

/* All that was injected has come. */
bool tap_heard(const struct peer *peer);

#endif
