/* worker/relay_splice.c: moves bytes through a pipe without copying them. Worker thread; owns the direction's pipe while bytes are in it.
 *
 * The pipe is filled only when it is empty: EAGAIN from the source then means that the source is empty and never that the pipe is full. A direction waits for
 * its source or for its destination, not for both. */
#include <errno.h>

#include "worker/context.h"
#include "worker/relay.h"
#include "worker/session.h"

enum {
    TURN_BYTES = 1024 * 1024,  /* then the other sessions of the worker have their turn: one large pipe */
    SMALL_BYTES = BUFFER_BYTES, /* a turn that moves no more would have been as cheap as a copy, and quicker */
    SMALL_TURNS = 3,
    STREAM_BYTES = 256 * 1024, /* one way, without a word the other way: not a message that someone waits for */
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

/* At the end of a turn, with an empty pipe. */
static void splice_on(struct direction *direction)
{
    if (relay_may_splice(direction))
        wait_for_source(direction);
    else
        relay_copy_start(direction);
}

/* The source is empty: on with splicing, or back to copying? */
static void source_empty(struct direction *direction, uint32_t moved)
{
    struct session *session = session_of_direction(direction);
    bool stuck = direction->was_readable;

    give_pipe(direction);
    direction->was_readable = false;
    if (stuck) { /* a poll said otherwise: splice(2) does not pass TCP's urgent mark, a receive does */
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

/* Empties the pipe. True: it is empty; false: the destination is full, or failed. */
static bool flush(struct direction *direction)
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

/* Fills the empty pipe. True: it holds something; false: the direction waits, or has changed to copying. */
static bool fill(struct direction *direction, uint32_t *moved)
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
        relay_took(direction, (uint32_t)got);
        traffic_received(&session->worker->traffic, false, &session->last_small);
        return true;
    }
    if (got == -EAGAIN) {
        source_empty(direction, *moved);
        return false;
    }
    /* An end, or an error, is not believed: at TCP's urgent mark splice(2) tells what is behind all the bytes that it does not pass. A receive passes them and
     * meets the end itself. What is left is short: no more splicing, or it would stop at the mark again. */
    give_pipe(direction);
    direction->never_splice = true;
    relay_copy_start(direction);
    if (got < 0 && got != -EINVAL) /* the kernel tells an error once: the receive will only find an end of file */
        relay_source_broke(direction, (int)-got);
    return false;
}

static void pump(struct direction *direction)
{
    struct session *session = session_of_direction(direction);
    uint32_t moved = 0;

    session->worker->traffic.stream_turns += direction->streamed >= STREAM_BYTES;
    while (flush(direction)) {
        if (moved >= TURN_BYTES || !relay_may_splice(direction)) {
            give_pipe(direction);
            splice_on(direction);
            return;
        }
        if (!fill(direction, &moved))
            return;
    }
}

void relay_splice_start(struct direction *direction)
{
    direction_move(direction, DIRECTION_SPLICE);
    direction->small_turns = 0;
    pump(direction);
}

void relay_splice_readable(struct io_sock *sock)
{
    struct direction *direction = direction_from(sock);

    direction->polling_in = false;
    direction->was_readable = true;
    if (direction->phase == DIRECTION_SPLICE)
        pump(direction);
}

void relay_splice_writable(struct io_sock *sock)
{
    struct direction *direction = direction_to(sock);

    direction->polling_out = false;
    if (direction->phase == DIRECTION_SPLICE)
        pump(direction);
}
