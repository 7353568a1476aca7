/* worker/direction.h: one half of a session. It moves bytes from one end, its source, to the other, its destination. The session's worker.
 *
 *        bulk, at rest
 *      +----------------> SPLICE ----+
 *      |                    |        |
 *    COPY <-----------------+        |   the destination has only stopped reading
 *    ^ | |    small, no pipe, an end |
 *    | | +---------------------------+---> DROP
 *    v |                             |      |
 *  TAPPED ---------------------------+      |
 *    | |    the source has ended            |
 *    +-+----------------+-------------------+
 *                       v          all is sent: FIN
 *                    ENDING -----------------------------> ENDED
 *                       ^                                    |
 *                       +------------------------------------+   another backend gets everything again, and then FIN
 *
 *   any phase -------------> BROKEN     the destination is gone
 *
 *   COPY    received buffers are sent on
 *   TAPPED  received buffers go to a tap, which passes them on: worker/tap.h
 *   SPLICE  bytes are spliced through a pipe
 *   DROP    the destination has stopped reading but may still send: received bytes are dropped until the source ends too
 *   ENDING  the source has ended; its last bytes are being sent
 *   ENDED   FIN was passed on
 *   BROKEN  the destination is gone; received bytes are dropped
 *
 * Both directions of a session start in COPY. A tap is installed at the start or never. A direction whose tap is removed is in COPY. */
#ifndef WORKER_DIRECTION_H
#define WORKER_DIRECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

/* An end of a session. A direction is named after the end that it reads from. */
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
    bool was_readable : 1;     /* splice: a poll has just reported that there are bytes */
    bool spliced : 1;          /* bytes were spliced; for the log */
    bool never_splice : 1;     /* the kernel refused to splice these sockets, or reported that the source has ended */
    bool last_full : 1;        /* copy: the last receive filled its buffer */
    bool bulk : 1;             /* copy: messages are larger than a buffer, so splicing them is cheaper */
    uint8_t small_turns;       /* splice: consecutive turns that moved few bytes */
    uint32_t streamed;         /* bytes taken from the source since the last bytes in the other direction; at most UINT32_MAX */
    struct buffer *sending;    /* the buffer being sent; the engine has it until `sent` */
    struct buffer_queue held;  /* buffers to be sent after `sending` */
    struct tap *tap;           /* TAPPED and ENDING, and ENDED if it is lasting: gets the bytes before they are in `held`; NULL: none */
    uint64_t bytes;            /* total number of bytes taken from the source */
    struct io_pipe pipe;       /* splice: only while bytes are in transit */
};

/* The only function that changes the phase. Asserts that the drawing has the move. Logs the move at level debug. */
void direction_move(struct direction *direction, enum direction_phase to);

/* The name in the drawing. */
const char *direction_phase_name(enum direction_phase phase);

#endif
