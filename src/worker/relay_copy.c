/* worker/relay_copy.c: moves bytes by receive and send. Worker thread; owns the buffers that it holds because the destination is slow.
 *
 * The credit of a receive bounds the memory. While any bytes are held, no new receive starts. So a direction holds at most the credit and one buffer, however
 * slowly its destination reads. */
#include "worker/context.h"
#include "worker/relay.h"
#include "worker/session.h"
#include "worker/tap.h"

enum { SMALL_MESSAGE_BYTES = 4096 };

static struct io *io_of(struct direction *direction)
{
    return session_of_direction(direction)->worker->io;
}

static void start_receive(struct direction *direction, uint32_t credit_bytes)
{
    direction->receiving = true;
    io_receive(io_of(direction), &direction_source(direction)->sock, credit_bytes);
}

void relay_copy_start(struct direction *direction)
{
    if (direction->phase != DIRECTION_COPY)
        direction_move(direction, DIRECTION_COPY);
    start_receive(direction, RELAY_CREDIT_BYTES);
}

/* Bytes that the tap holds reduce the credit. */
void relay_copy_tapped(struct direction *direction)
{
    if (tap_full(direction->tap))
        session_look_after(session_of_direction(direction));
    else
        start_receive(direction, RELAY_CREDIT_BYTES - direction->tap->held_bytes);
}

void relay_copy_drop(struct direction *direction)
{
    direction_move(direction, DIRECTION_DROP);
    if (!direction->receiving)
        start_receive(direction, RELAY_CREDIT_BYTES);
}

/* Sends a buffer; no send may be pending. Returns true if the engine keeps the buffer until `sent`. */
static bool send_buffer(struct direction *direction, struct buffer *buffer)
{
    struct io_sock *sock = &direction_destination(direction)->sock;
    int result = io_send(io_of(direction), sock, buffer->data + buffer->start, buffer_length(buffer));

    if (result == IO_PENDING) {
        direction->sending = buffer;
        return true;
    }
    if (result < 0)
        relay_destination_failed(direction, -result);
    return false;
}

/* Hurries a pending send if held bytes, FIN or the next receive wait for its end. Otherwise `sent` comes with the next event, whenever that is. */
static void want_sent(struct direction *direction)
{
    if (direction->sending && (direction->held.first || direction->phase == DIRECTION_ENDING || !direction->receiving))
        io_hurry(io_of(direction));
}

/* Bytes that follow a full buffer usually belong to the same message, which is then larger than a buffer: bulk. */
static void learn_size(struct direction *direction, uint32_t bytes)
{
    struct session *session = session_of_direction(direction);

    traffic_received(&session->worker->traffic, bytes < SMALL_MESSAGE_BYTES && !direction->last_full, &session->last_small);
    if (direction->last_full)
        direction->bulk = true;
    else if (bytes < BUFFER_BYTES)
        direction->bulk = false;
    direction->last_full = bytes == BUFFER_BYTES;
}

bool relay_copy_received(struct io_sock *sock, struct buffer *buffer)
{
    struct direction *direction = direction_from(sock);
    bool kept;

    if (direction->phase != DIRECTION_COPY && direction->phase != DIRECTION_TAPPED) /* dropped bytes do not count as activity */
        return false;
    relay_took(direction, buffer_length(buffer));
    learn_size(direction, buffer_length(buffer));
    if (direction->phase == DIRECTION_TAPPED)
        return tap_received(direction, buffer);
    if (!direction->sending && !direction->held.first)
        return send_buffer(direction, buffer);
    kept = buffer_queue_put(&direction->held, buffer);
    want_sent(direction);
    return kept;
}

void relay_copy_rest(struct io_sock *sock, enum io_rest why, int error)
{
    struct direction *direction = direction_from(sock);

    direction->receiving = false;
    switch (why) {
    case IO_REST_ERROR:
        relay_source_failed(direction, error);
        break;
    case IO_REST_EOF:
        if (direction_source(direction)->error) /* a send to this end has failed before, so this is not a normal end */
            relay_source_failed(direction, direction_source(direction)->error);
        else
            relay_source_ended(direction);
        break;
    case IO_REST_CREDIT:
        if (direction->phase == DIRECTION_DROP)
            start_receive(direction, RELAY_CREDIT_BYTES);
        else if (direction->phase != DIRECTION_BROKEN && !direction->sending && !direction->held.first)
            relay_resume(direction);
        else
            session_look_after(session_of_direction(direction));
        break;
    }
    want_sent(direction);
}

void relay_copy_push(struct direction *direction)
{
    while (!direction->sending && direction->held.first) {
        struct buffer *buffer = buffer_queue_take(&direction->held);

        if (!send_buffer(direction, buffer)) {
            buffer_free(&io_of(direction)->buffers, buffer);
            session_touch(session_of_direction(direction));
        }
    }
    if (direction->sending)
        want_sent(direction);
    else
        relay_drained(direction);
}

void relay_copy_sent(struct io_sock *sock, int error)
{
    struct direction *direction = direction_to(sock);
    struct io *io = io_of(direction);

    buffer_free(&io->buffers, direction->sending);
    direction->sending = NULL;
    if (error) {
        relay_destination_failed(direction, error);
        return;
    }
    session_touch_at(session_of_direction(direction), direction->held.first ? io->now_ns : io->sent_ns); /* held bytes are sent now */
    relay_copy_push(direction);
}
