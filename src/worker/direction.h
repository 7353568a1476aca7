/* worker/direction.h: one half of a session: bytes from one end, its source, to the other, its destination. The session's worker.
 *
 *        bulk, at rest
 *      +----------------> SPLICE ----+
 *      |                    |        |
 *    COPY <-----------------+        |   the destination only reads no more
 *    ^ | |    small, no pipe, an end |
 *    | | +---------------------------+---> DROP
 *    v |                             |      |
 *  TAPPED ---------------------------+      |
 *    | |    the source has ended            |
 *    +-+----------------+-------------------+
 *                       v          all is sent: FIN
 *                    ENDING -----------------------------> ENDED
 *
 *   any of them ----------> BROKEN      the destination is gone
 *
 *   COPY    received buffers are sent on
 *   TAPPED  received buffers go to a tap, which passes them on: worker/tap.h
 *   SPLICE  bytes go through a pipe
 *   DROP    the destination does not read any more but may still send: what comes is dropped until the source ends too
 *   ENDING  the source ended; what it left is being sent
 *   ENDED   FIN was passed on
 *   BROKEN  the destination takes no more; what comes is dropped
 *
 * A session begins with both directions in COPY. A tap is there from the beginning, or not at all; when it is removed the direction is in COPY. */
#ifndef WORKER_DIRECTION_H
#define WORKER_DIRECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

/* Which end; as a direction's name: the end it reads from. */
enum side { CLIENT = 0, BACKEND = 1 };

enum direction_phase {
    DIRECTION_COPY,
    DIRECTION_TAPPED,
    DIRECTION_SPLICE,
    DIRECTION_DROP,
    DIRECTION_ENDING,
    DIRECTION_ENDED,
    DIRECTION_BROKEN,
    DIRECTION_PHASES
};

struct tap;

struct direction {
    enum direction_phase phase : 8;
    uint8_t source;            /* enum side */
    bool receiving : 1;        /* a receive is in flight on the source */
    bool polling_in : 1;       /* splice: waiting for the source */
    bool polling_out : 1;      /* splice: waiting for the destination */
    bool was_readable : 1;     /* splice: a poll has just said that there is something */
    bool never_splice : 1;     /* the kernel refused it for these sockets, or said that the source has ended */
    bool last_full : 1;        /* copy: the last receive filled its buffer */
    bool bulk : 1;             /* copy: the last messages were larger than a buffer, worth a splice */
    uint8_t small_turns;       /* splice: turns in a row that moved little */
    uint32_t streamed;         /* bytes taken from the source since some last came the other way; at most UINT32_MAX */
    struct buffer *sending;    /* being sent; the engine has it until `sent` */
    struct buffer_queue held;  /* to be sent after that */
    struct tap *tap;           /* TAPPED, ENDING: sees the bytes before they are in `held`; NULL: none */
    uint64_t bytes;            /* taken from the source */
    struct io_pipe pipe;       /* splice: only while bytes are in transit */
};

/* The only way to change the phase: asserts that the move is in the drawing. Logs it at level debug. */
void direction_move(struct direction *direction, enum direction_phase to);

/* As in the drawing. */
const char *direction_phase_name(enum direction_phase phase);

#endif
