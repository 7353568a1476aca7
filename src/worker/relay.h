/* worker/relay.h: moves the bytes of a session that is RELAYING or ABORTING. The session's worker.
 *
 * A direction is at rest when nothing of it is in flight: no receive, no send, no held buffer, no pipe. Changing between copy and splice, passing FIN on and
 * closing happen at rest only. relay.c decides, relay_copy.c and relay_splice.c move. */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include <stdbool.h>

#include "io/io.h"

struct direction;
struct session;

/* Bytes a source may deliver before the direction has to be at rest once. */
enum { RELAY_CREDIT_BYTES = 2 * BUFFER_BYTES };

/* Starts both directions. */
void relay_start(struct session *session);

/* Gives buffers and pipes back; the buffer that the engine is sending stays until relay_release_sent(). */
void relay_release(struct session *session);
/* After the destination was closed. */
void relay_release_sent(struct direction *direction);

/* The destination is given up: drops what the direction holds, and whatever still comes. */
void relay_break(struct direction *direction);

/* All that the direction took from its source is with the destination's kernel: nothing is held, by a tap neither. */
bool relay_flushed(const struct direction *direction);

/* ---- between relay.c, relay_copy.c and relay_splice.c ---- */

/* The direction is at rest and open: receive or splice on, as its traffic suggests. */
void relay_resume(struct direction *direction);

/* Whether the direction, were it bulk, would be spliced now. */
bool relay_may_splice(struct direction *direction);

/* Bytes were taken from the source. */
void relay_took(struct direction *direction, uint32_t bytes);

/* The queue is empty and no send is pending: what comes next depends on the phase. */
void relay_drained(struct direction *direction);

/* The source sent FIN. */
void relay_source_ended(struct direction *direction);
/* The source failed, and what it had sent is still to be received: RELAYING becomes ABORTING, the direction goes on to its end. */
void relay_source_broke(struct direction *direction, int error);
/* The source failed: reset, or a timeout. Nothing more can be received from it. */
void relay_source_failed(struct direction *direction, int error);
/* The destination takes no more. */
void relay_destination_failed(struct direction *direction, int error);

/* relay_copy.c: the start of a turn of copying. */
void relay_copy_start(struct direction *direction);
/* The same for a TAPPED direction. */
void relay_copy_tapped(struct direction *direction);
/* Sends what is held, unless a send is pending; what comes next when all is sent is relay_drained()'s. */
void relay_copy_push(struct direction *direction);
/* On with receiving, but what comes is dropped. */
void relay_copy_drop(struct direction *direction);

/* relay_splice.c: starts splicing, or copying when no pipe is to be had. */
void relay_splice_start(struct direction *direction);

/* ---- events of RELAYING and ABORTING: struct io_events ---- */

bool relay_copy_received(struct io_sock *sock, struct buffer *buffer);
void relay_copy_rest(struct io_sock *sock, enum io_rest why, int error);
void relay_copy_sent(struct io_sock *sock, int error);
void relay_splice_readable(struct io_sock *sock);
void relay_splice_writable(struct io_sock *sock);

#endif
