/* worker/relay.h: moves the bytes of a session that is RELAYING or ABORTING. The session's worker.
 *
 * A direction is at rest if it has nothing in flight: no receive, no send, no held buffer, no pipe. Only then may it change between copy and splice, pass FIN
 * on, or close. relay.c decides; relay_copy.c and relay_splice.c move the bytes. */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include <stdbool.h>

#include "io/io.h"

struct direction;
struct session;

/* How many bytes a source may deliver before its direction must be at rest once. */
enum { RELAY_CREDIT_BYTES = 2 * BUFFER_BYTES };

/* Starts both directions. */
void relay_start(struct session *session);

/* Returns buffers and pipes. The buffer that the engine is sending stays until relay_release_sent(). */
void relay_release(struct session *session);
/* Returns that buffer, after the destination was closed. */
void relay_release_sent(struct direction *direction);

/* Gives the destination up: drops what the direction holds, and everything that it still receives. */
void relay_break(struct direction *direction);

/* Whether all bytes from the source were given to the destination's kernel. Neither the direction nor its tap holds any. */
bool relay_flushed(const struct direction *direction);

/* ---- between relay.c, relay_copy.c and relay_splice.c ---- */

/* Continues a direction that is at rest and open, by receiving or splicing. */
void relay_resume(struct direction *direction);

/* Whether bulk data of the direction may be spliced now. */
bool relay_may_splice(struct direction *direction);

/* Counts bytes that were taken from the source. */
void relay_took(struct direction *direction, uint32_t bytes);

/* The queue is empty and no send is pending: does what the phase requires next. */
void relay_drained(struct direction *direction);

/* The source has sent FIN. */
void relay_source_ended(struct direction *direction);
/* The source has failed, but bytes that it sent are still to be received. RELAYING becomes ABORTING, and the direction continues to its end. */
void relay_source_broke(struct direction *direction, int error);
/* The source has failed, by a reset or a timeout, and nothing more can be received from it. */
void relay_source_failed(struct direction *direction, int error);
/* The destination accepts no more bytes. */
void relay_destination_failed(struct direction *direction, int error);

/* relay_copy.c: starts to copy. */
void relay_copy_start(struct direction *direction);
/* The same for a TAPPED direction. */
void relay_copy_tapped(struct direction *direction);
/* Sends what is held, unless a send is pending. After everything is sent, relay_drained() decides what follows. */
void relay_copy_push(struct direction *direction);
/* Continues to receive, and drops the bytes. */
void relay_copy_drop(struct direction *direction);

/* relay_splice.c: starts to splice, or to copy if no pipe is available. */
void relay_splice_start(struct direction *direction);

/* ---- events of RELAYING and ABORTING: struct io_events ---- */

extern const struct io_events relay_events;

bool relay_copy_received(struct io_sock *sock, struct buffer *buffer);
void relay_copy_rest(struct io_sock *sock, enum io_rest why, int error);
void relay_copy_sent(struct io_sock *sock, int error);
void relay_splice_readable(struct io_sock *sock);
void relay_splice_writable(struct io_sock *sock);

#endif
