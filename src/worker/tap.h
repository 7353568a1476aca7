/* worker/tap.h: a tap sits in a direction between receive and send: it sees every byte before the destination does, and may hold, inject or pass bytes. The
 * session's worker.
 *
 *                      +--------------- tap ----------------+
 *   source -> receive -+-> held ------- tap_pass() ---------+-> the direction's queue -> send -> destination
 *                      |            tap_inject() -----------+
 *                      +------------------------------------+
 *
 * A direction with a tap is TAPPED (worker/direction.h): it copies and never splices. A direction without one does not know of taps.
 *
 *  - What was received is held until the tap passes it, and goes before whatever is injected later: what is put into the queue leaves in that order.
 *  - Memory is bounded by the credit of a receive, as without a tap: what the tap holds is taken from the credit, and no receive begins while the queue is not
 *    empty. With the credit's worth held nothing more comes: a tap that waits for more than that waits until idle_timeout. What it injects comes on top.
 *  - FIN waits until the tap holds nothing. Then the tap is freed, and FIN is passed on.
 *  - When the direction breaks, or its session ends, what is held is dropped and the tap is freed.
 *
 * Whoever writes a tap embeds struct tap in its own. */
#ifndef WORKER_TAP_H
#define WORKER_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/buffer.h"
#include "worker/relay.h"

struct direction;
struct tap;

/* What a tap does. The first two may call tap_pass(), tap_inject() and tap_remove() for their own direction; what is in its queue then is sent when they have
 * returned. They return 0, or a negative errno (-ENOMEM): the session ends then, for a lack of resources. */
struct tap_ops {
    /* Bytes have come: they are the last of what is held. */
    int (*received)(struct tap *tap, struct direction *direction);
    /* No more will come. The source sent FIN, or is gone if it has an `error`. */
    int (*ended)(struct tap *tap, struct direction *direction);
    /* The direction has let go of the tap, which holds nothing any more: frees it, and cancels what could still call it. */
    void (*free)(struct tap *tap);
};

struct tap {
    const struct tap_ops *ops;
    struct buffer_queue held; /* to be read; tap_pass() takes from it */
    uint32_t held_bytes;
};

/* Gives a direction, which is in COPY with nothing in flight, a tap, which is the direction's from now on: when its session begins to relay, before
 * relay_start(). */
void tap_install(struct direction *direction, struct tap *tap);

/* Puts all that is held into the direction's queue. */
void tap_pass(struct direction *direction);

/* Puts a copy of these bytes into the direction's queue. 0, or -ENOMEM. */
int tap_inject(struct direction *direction, const uint8_t *data, uint32_t bytes);

/* Passes what is held and frees the tap: the direction goes on without. */
void tap_remove(struct direction *direction);

/* Sends what is in the direction's queue, and lets it go on: for whoever passed, injected or removed from elsewhere than `received` and `ended`, such as a
 * timer. The tap, and the session's relaying, may be over when it returns. */
void tap_push(struct direction *direction);

/* So much is held that nothing more is received. */
static inline bool tap_full(const struct tap *tap)
{
    return tap->held_bytes >= RELAY_CREDIT_BYTES;
}

/* ---- for the relay ---- */

/* Bytes for a TAPPED direction: as struct io_events has it. */
bool tap_received(struct direction *direction, struct buffer *buffer);
/* A direction with a tap is ENDING now. False: the session has ended. */
bool tap_ended(struct direction *direction);
/* Drops what is held; nothing without a tap. */
void tap_free(struct direction *direction);

#endif
