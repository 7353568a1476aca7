/* worker/relay_splice.c: moves bytes through a pipe without copying them. Worker thread; owns the pipe of a direction while bytes are in it.
 *
 * A pipe is filled only when it is empty. EAGAIN then means that the source is empty, and never that the pipe is full. A direction waits either for its source
 * or for its destination, never for both. */
#include <errno.h>

#include "worker/context.h"
#include "worker/relay.h"
#include "worker/session.h"

enum {
    TURN_BYTES = 1024 * 1024,  /* one large pipe; then the other sessions of the worker have their turn */
    SMALL_BYTES = BUFFER_BYTES, /* a turn that moves no more than this costs as much as a copy, and takes longer */
    SMALL_TURNS = 3,
    STREAM_BYTES = 256 * 1024, /* so many bytes in one direction, with none in the other, are a stream and not a message */
};

static void wait_for_source(struct direction *direction)
{
    direction->polling_in = true;
    io_poll(session_of_direction(direction)->worker->io, &direction_source(direction)->sock, IO_IN);
}

static void wait_for_destination(struct direction *direction)
{
    direction->polling_out = true;
    session_look_after(session_of_direction(direction));
    io_poll(session_of_direction(direction)->worker->io, &direction_destination(direction)->sock, IO_OUT);
}

static void give_pipe(struct direction *direction)
{
    pipe_pool_give(&session_of_direction(direction)->worker->pipes, &direction->pipe);
}

/* Continues at the end of a turn. The pipe is empty. */
static void splice_on(struct direction *direction)
{
    if (relay_may_splice(direction))
        wait_for_source(direction);
    else
        relay_copy_start(direction);
}

/* The source is empty: waits for it, or goes back to copying. */
static void source_empty(struct direction *direction, uint32_t moved)
{
    struct session *session = session_of_direction(direction);
    bool stuck = direction->was_readable;

    give_pipe(direction);
    direction->was_readable = false;
    if (stuck) { /* a poll had reported bytes, so this is TCP's urgent mark, which splice(2) does not pass, unlike a receive */
        relay_copy_start(direction);
        return;
    }
    if (session_settings(session)->splice == CONFIG_SPLICE_AUTO) {
        direction->small_turns = moved <= SMALL_BYTES ? direction->small_turns + 1 : 0;
        if (direction->small_turns >= SMALL_TURNS) {
            direction->bulk = direction->last_full = false;
            relay_copy_start(direction);
            return;
        }
    }
    splice_on(direction);
}

/* Empties the pipe. Returns false if the destination is full or has failed. */
static bool flush_pipe(struct direction *direction)
{
    struct session *session = session_of_direction(direction);

    while (direction->pipe.bytes > 0) {
        ssize_t moved = io_splice_out(session->worker->io, &direction_destination(direction)->sock, &direction->pipe);

        if (moved == -EAGAIN || moved == 0) {
            wait_for_destination(direction);
            return false;
        }
        if (moved < 0) {
            give_pipe(direction);
            relay_destination_failed(direction, (int)-moved);
            return false;
        }
        session_touch(session);
    }
    return true;
}

/* Fills the empty pipe. Returns false if the direction waits for its source, or copies from now on. */
static bool fill_pipe(struct direction *direction, uint32_t *moved)
{
    struct session *session = session_of_direction(direction);
    ssize_t got;

    if (direction->pipe.fds[0] < 0 && !pipe_pool_take(&session->worker->pipes, &direction->pipe)) {
        relay_copy_start(direction);
        return false;
    }
    got = io_splice_in(session->worker->io, &direction_source(direction)->sock, &direction->pipe, TURN_BYTES);
    if (got > 0) {
        *moved += (uint32_t)got;
        direction->was_readable = false;
        direction->spliced = true;
        relay_took(direction, (uint32_t)got);
        traffic_received(&session->worker->traffic, false, &session->last_small);
        return true;
    }
    if (got == -EAGAIN) {
        source_empty(direction, *moved);
        return false;
    }
    /* splice(2) stops at TCP's urgent mark and then reports the end or the error that follows all remaining bytes. So neither is trusted here: a receive passes
     * the mark and finds the end itself. Few bytes are left, and splicing would stop at the mark again, so the direction is not spliced any more. */
    give_pipe(direction);
    direction->never_splice = true;
    relay_copy_start(direction);
    if (got < 0 && got != -EINVAL) /* the kernel reports an error only once: the receive will find only an end of file */
        relay_source_broke(direction, (int)-got);
    return false;
}

static void pump_direction(struct direction *direction)
{
    struct session *session = session_of_direction(direction);
    uint32_t moved = 0;

    session->worker->traffic.stream_turns += direction->streamed >= STREAM_BYTES;
    while (flush_pipe(direction)) {
        if (moved >= TURN_BYTES || !relay_may_splice(direction)) {
            give_pipe(direction);
            splice_on(direction);
            return;
        }
        if (!fill_pipe(direction, &moved))
            return;
    }
}

void relay_splice_start(struct direction *direction)
{
    direction_move(direction, DIRECTION_SPLICE);
    direction->small_turns = 0;
    pump_direction(direction);
}

void relay_splice_readable(struct io_sock *sock)
{
    struct direction *direction = direction_from(sock);

    direction->polling_in = false;
    direction->was_readable = true;
    if (direction->phase == DIRECTION_SPLICE)
        pump_direction(direction);
}

void relay_splice_writable(struct io_sock *sock)
{
    struct direction *direction = direction_to(sock);

    direction->polling_out = false;
    if (direction->phase == DIRECTION_SPLICE)
        pump_direction(direction);
}
