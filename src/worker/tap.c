/* worker/tap.c: connects a direction with its tap. Worker thread; owns the buffers that a tap holds. */
#include "worker/tap.h"

#include <assert.h>

#include "worker/context.h"
#include "worker/session.h"

static struct buffer_pool *pool_of(struct direction *direction)
{
    return &session_of_direction(direction)->worker->io->buffers;
}

/* Handles the result of one of the tap's functions. Returns false if the session has ended. */
static bool went_well(struct direction *direction, int result)
{
    if (result >= 0)
        return true;
    session_end(session_of_direction(direction), END_NO_RESOURCES, 1u << CLIENT | 1u << BACKEND);
    return false;
}

void tap_install(struct direction *direction, struct tap *tap)
{
    assert(!direction->receiving && !tap->held.first && tap->held_bytes == 0);
    direction_move(direction, DIRECTION_TAPPED);
    direction->tap = tap;
}

void tap_pass(struct direction *direction)
{
    buffer_queue_append(&direction->held, &direction->tap->held);
    direction->tap->held_bytes = 0;
}

int tap_inject(struct direction *direction, const uint8_t *data, uint32_t bytes)
{
    assert(direction->tap);
    return buffer_queue_copy(&direction->held, pool_of(direction), data, bytes);
}

void tap_free(struct direction *direction)
{
    struct tap *tap = direction->tap;

    if (!tap)
        return;
    direction->tap = NULL;
    buffer_queue_clear(&tap->held, pool_of(direction));
    tap->ops->free(tap);
}

void tap_remove(struct direction *direction)
{
    tap_pass(direction);
    tap_free(direction);
    if (direction->phase == DIRECTION_TAPPED)
        direction_move(direction, DIRECTION_COPY);
}

void tap_drained(struct direction *direction)
{
    if (direction->tap && !direction->tap->ops->lasting)
        tap_free(direction);
}

void tap_push(struct direction *direction)
{
    if (direction->held.first && !direction->sending)
        session_touch(session_of_direction(direction)); /* bytes move, although none were received just now */
    relay_copy_push(direction);
}

bool tap_received(struct direction *direction, struct buffer *buffer)
{
    struct tap *tap = direction->tap;
    uint32_t bytes = buffer_length(buffer);
    bool kept = buffer_queue_put(&tap->held, buffer);

    tap->held_bytes += bytes;
    if (went_well(direction, tap->ops->received(tap, direction)))
        relay_copy_push(direction);
    return kept;
}

bool tap_ended(struct direction *direction)
{
    return went_well(direction, direction->tap->ops->ended(direction->tap, direction));
}
