/* worker/replay.h: keeps a copy of everything that a client has sent, so that another backend can get it if the first one dies before it answers. The
 * session's worker.
 *
 * The copy is kept by a tap (worker/tap.h) in the direction from the client, which passes every byte on at once. It exists with `replay` of the pool, from the
 * first connected backend until
 *  - the first byte comes from a backend, or
 *  - the client has sent more than `replay` bytes, or there is no memory for the copy, or
 *  - the session ends.
 * The session can be replayed as long as the tap exists. Without it, the direction may be spliced as any other.
 *
 * Memory: until then, the copy takes at most `replay` bytes in buffers of BUFFER_BYTES, at least one if the client has sent anything; and as much again while
 * bytes that are sent once more wait for a slow backend. */
#ifndef WORKER_REPLAY_H
#define WORKER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slab.h"
#include "io/buffer.h"

struct direction;
struct session;

/* For at most `max` sessions. */
void replay_slab_init(struct slab *slab, uint32_t max);

/* The first backend is connected, and no byte has moved: begins to keep a copy, if the pool has `replay` and there is memory. */
void replay_begin(struct session *session);

/* Whether the direction has a copy of all its bytes. */
bool replay_is_kept(const struct direction *direction);

/* Keeps a copy of bytes that were received while there is no backend. Does nothing without a copy of the earlier ones. */
void replay_keep(struct direction *direction, const struct buffer *buffer);

/* Fills an empty queue with the bytes to be sent again. Returns 0, or -ENOMEM, and then the queue is empty. */
int replay_copy(const struct direction *direction, struct buffer_queue *queue);

/* The first byte has come from the backend: frees the copy. */
void replay_end(struct direction *direction);

#endif
