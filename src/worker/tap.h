/* worker/tap.h: a tap sits between receive and send of a direction. It gets every byte before the destination does, and may hold, inject or pass bytes. The
 * session's worker.
 *
 *                      +--------------- tap ----------------+
 *   source -> receive -+-> held ------- tap_pass() ---------+-> the direction's queue -> send -> destination
 *                      |            tap_inject() -----------+
 *                      +------------------------------------+
 *
 * A direction with a tap is TAPPED (worker/direction.h): it copies and never splices. A direction without a tap runs no code for taps.
 *
 *  - Received bytes are held until the tap passes them. Bytes leave the direction's queue in the order in which tap_pass() and tap_inject() added them.
 *  - The credit of a receive bounds the memory, as without a tap: held bytes reduce the credit, and no receive starts while the queue is not empty. When the
 *    tap holds as many bytes as the credit, nothing more is received, so a tap that needs more bytes than that waits until idle_timeout. Injected bytes are in
 *    addition to this.
 *  - FIN waits until the tap holds nothing. Then the tap is freed, unless it is lasting, and FIN is passed on.
 *  - If the direction breaks or its session ends, the held bytes are dropped and the tap is freed.
 *
 * An implementation embeds struct tap in a struct of its own. */
#ifndef WORKER_TAP_H
#define WORKER_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/buffer.h"
#include "worker/relay.h"

struct direction;
struct tap;

/* The functions of a tap. The first two may call tap_pass(), tap_inject() and tap_remove() for their own direction; its queue is sent after they have
 * returned. They return 0, or a negative errno such as -ENOMEM, which ends the session for a lack of resources. */
struct tap_ops {
    /* Bytes were received and appended to `held`. */
    int (*received)(struct tap *tap, struct direction *direction);
    /* No more bytes will be received: the source has sent FIN, or is gone if its `error` is set. */
    int (*ended)(struct tap *tap, struct direction *direction);
    /* Frees the tap, which the direction no longer uses and which holds nothing. Cancels everything that could still call it, such as a timer. */
    void (*free)(struct tap *tap);
    bool lasting; /* the tap stays after FIN was passed on, until tap_remove() */
};

struct tap {
    const struct tap_ops *ops;
    struct buffer_queue held; /* received bytes, for the tap to read; tap_pass() removes them */
    uint32_t held_bytes;
};

/* Installs a tap in a direction, which owns it from now on. The direction is in COPY and has nothing in flight: its session starts to relay, and relay_start()
 * has not been called. */
void tap_install(struct direction *direction, struct tap *tap);

/* Moves all held bytes to the direction's queue. */
void tap_pass(struct direction *direction);

/* Appends a copy of these bytes to the direction's queue. Returns 0 or -ENOMEM. */
int tap_inject(struct direction *direction, const uint8_t *data, uint32_t bytes);

/* Passes all held bytes and frees the tap. The direction continues without one. */
void tap_remove(struct direction *direction);

/* Sends the direction's queue and lets the direction continue. Call it after tap_pass(), tap_inject() or tap_remove() outside `received` and `ended`, such as
 * in a timer. When it returns, the tap may be freed and the session may have ended. */
void tap_push(struct direction *direction);

/* Whether the tap holds so much that nothing more is received. */
static inline bool tap_full(const struct tap *tap)
{
    return tap->held_bytes >= RELAY_CREDIT_BYTES;
}

/* ---- for the relay ---- */

/* The event `received` of a TAPPED direction: as in struct io_events. */
bool tap_received(struct direction *direction, struct buffer *buffer);
/* A direction with a tap has become ENDING. Returns false if the session has ended. */
bool tap_ended(struct direction *direction);
/* Everything was sent and FIN is about to be passed on: frees the tap, unless it is lasting. Does nothing without a tap. */
void tap_drained(struct direction *direction);
/* Drops the held bytes and frees the tap. Does nothing without a tap. */
void tap_free(struct direction *direction);

#endif
