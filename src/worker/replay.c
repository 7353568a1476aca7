/* worker/replay.c: the tap that keeps a copy of what a client sends. Worker thread; owns the copies. */
#include "worker/replay.h"

#include "worker/context.h"
#include "worker/session.h"
#include "worker/tap.h"

struct replay {
    struct tap tap;           /* first */
    struct worker *worker;
    struct buffer_queue kept; /* copies of all bytes from the client */
    uint32_t kept_bytes;
};

static struct buffer_pool *pool_of(const struct replay *replay)
{
    return &replay->worker->io->buffers;
}

/* Returns false if the bytes are too many, or there is no memory for them. */
static bool keep_copy(struct replay *replay, const struct buffer *buffer, uint32_t bytes_max)
{
    uint32_t bytes = buffer_length(buffer);

    if (bytes > bytes_max || replay->kept_bytes > bytes_max - bytes)
        return false;
    replay->kept_bytes += bytes;
    return buffer_queue_copy(&replay->kept, pool_of(replay), buffer->data + buffer->start, bytes) == 0;
}

static int on_received(struct tap *tap, struct direction *direction)
{
    struct replay *replay = container_of(tap, struct replay, tap);
    uint32_t bytes_max = session_settings(session_of_direction(direction))->replay_bytes;

    for (const struct buffer *buffer = tap->held.first; buffer; buffer = buffer->next) {
        if (!keep_copy(replay, buffer, bytes_max)) {
            tap_remove(direction);
            return 0;
        }
    }
    tap_pass(direction);
    return 0;
}

static int on_ended(struct tap *tap, struct direction *direction)
{
    (void)tap;
    (void)direction;
    return 0;
}

static void on_free(struct tap *tap)
{
    struct replay *replay = container_of(tap, struct replay, tap);

    buffer_queue_clear(&replay->kept, pool_of(replay));
    slab_give(&replay->worker->replays_slab, replay);
}

static const struct tap_ops replay_ops = {.received = on_received, .ended = on_ended, .free = on_free, .lasting = true};

void replay_slab_init(struct slab *slab, uint32_t max)
{
    slab_init(slab, sizeof(struct replay), max);
}

void replay_begin(struct session *session)
{
    struct worker *worker = session->worker;
    struct direction *direction = &session->directions[CLIENT];
    struct replay *replay;

    if (session_settings(session)->replay_bytes == 0 || direction->tap || session->directions[BACKEND].tap)
        return;
    replay = slab_take(&worker->replays_slab);
    if (!replay)
        return;
    *replay = (struct replay){.tap = {.ops = &replay_ops}, .worker = worker};
    tap_install(direction, &replay->tap);
}

bool replay_is_kept(const struct direction *direction)
{
    return direction->tap && direction->tap->ops == &replay_ops;
}

void replay_keep(struct direction *direction, const struct buffer *buffer)
{
    if (replay_is_kept(direction) &&
        !keep_copy(container_of(direction->tap, struct replay, tap), buffer, session_settings(session_of_direction(direction))->replay_bytes))
        tap_remove(direction);
}

int replay_copy(const struct direction *direction, struct buffer_queue *queue)
{
    const struct replay *replay = container_of(direction->tap, struct replay, tap);
    int result = 0;

    for (const struct buffer *buffer = replay->kept.first; buffer && result == 0; buffer = buffer->next)
        result = buffer_queue_copy(queue, pool_of(replay), buffer->data + buffer->start, buffer_length(buffer));
    if (result < 0)
        buffer_queue_clear(queue, pool_of(replay));
    return result;
}

void replay_end(struct direction *direction)
{
    if (replay_is_kept(direction))
        tap_remove(direction);
}
