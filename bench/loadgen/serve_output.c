/* serve_output.c: sends replies, and damages every Nth one if a fault is configured. A serve thread; owns nothing. */
#include "serve.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Returns true for every Nth reply of this thread. */
static bool fault_due(struct serve_thread *thread)
{
    const struct serve_settings *settings = thread->settings;
    thread->stats.replies++;
    if (settings->fault == FAULT_NONE || settings->fault == FAULT_SLOW_READ)
        return false;
    return ++thread->fault_counter % settings->fault_every == 0;
}

enum serve_step serve_reply(struct serve_thread *thread, struct serve_conn *conn, const void *head,
                            uint64_t total_bytes, uint64_t key)
{
    assert(conn->out_sent == conn->out_bytes);
    memcpy(conn->head, head, sizeof(conn->head));
    conn->head_bytes = sizeof(conn->head);
    conn->out_bytes = total_bytes;
    conn->out_sent = 0;
    conn->out_key = key;
    conn->out_corrupt_at = UINT64_MAX;
    if (!fault_due(thread))
        return SERVE_GO_ON;
    switch (thread->settings->fault) {
    case FAULT_CORRUPT:
        conn->out_corrupt_at = total_bytes / 2;
        break;
    case FAULT_TRUNCATE:
        conn->out_bytes = total_bytes / 2;
        conn->close_after_output = true;
        break;
    case FAULT_RESET:
        return SERVE_RESET;
    default:
        conn->stalled = true;
    }
    return SERVE_GO_ON;
}

/* Keeps bytes that could not be sent. Nothing is read until they are sent, so one buffer is enough. */
static enum serve_step hold_output(struct serve_conn *conn, const uint8_t *data, size_t length)
{
    if (!conn->held && !(conn->held = malloc(SERVE_BUFFER_BYTES)))
        return SERVE_FAILED;
    memcpy(conn->held, data, length);
    conn->out_bytes = length;
    conn->out_sent = 0;
    return SERVE_GO_ON;
}

enum serve_step serve_echo_back(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length)
{
    if (fault_due(thread)) {
        switch (thread->settings->fault) {
        case FAULT_CORRUPT:
            data[length / 2] ^= 0x20;
            break;
        case FAULT_TRUNCATE:
            length /= 2;
            conn->close_after_output = true;
            break;
        case FAULT_RESET:
            return SERVE_RESET;
        default:
            conn->stalled = true;
            return SERVE_GO_ON;
        }
    }
    ssize_t sent = length > 0 ? send(conn->fd, data, length, MSG_NOSIGNAL) : 0;
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return SERVE_FAILED;
        sent = 0;
    }
    thread->stats.sent_bytes += (uint64_t)sent;
    if ((size_t)sent < length)
        return hold_output(conn, data + sent, length - (size_t)sent);
    return conn->close_after_output ? SERVE_CLOSE : SERVE_GO_ON;
}

/* Returns the next bytes of the reply, without a copy if possible. */
static const uint8_t *next_bytes(struct serve_thread *thread, struct serve_conn *conn, size_t *length)
{
    uint64_t left = conn->out_bytes - conn->out_sent;
    if (conn->head_bytes == 0) {
        *length = (size_t)left;
        return conn->held + conn->out_sent;
    }
    size_t take = left < SERVE_BUFFER_BYTES ? (size_t)left : SERVE_BUFFER_BYTES;
    size_t from_head = 0;
    if (conn->out_sent < conn->head_bytes) {
        from_head = conn->head_bytes - (size_t)conn->out_sent;
        if (from_head > take)
            from_head = take;
        memcpy(thread->scratch, conn->head + conn->out_sent, from_head);
    } else if (conn->out_corrupt_at == UINT64_MAX) {
        size_t run;
        const uint8_t *span = protocol_span(conn->out_key, conn->out_sent - conn->head_bytes, &run);
        *length = run < take ? run : take;
        return span;
    }
    protocol_fill(conn->out_key, conn->out_sent + from_head - conn->head_bytes, thread->scratch + from_head,
                  take - from_head);
    if (conn->out_corrupt_at - conn->out_sent < take)
        thread->scratch[conn->out_corrupt_at - conn->out_sent] ^= 0x20;
    *length = take;
    return thread->scratch;
}

enum serve_step serve_output(struct serve_thread *thread, struct serve_conn *conn, bool *blocked)
{
    size_t length;
    const uint8_t *data = next_bytes(thread, conn, &length);
    ssize_t sent = send(conn->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0) {
        *blocked = errno == EAGAIN || errno == EINTR;
        return *blocked ? SERVE_GO_ON : SERVE_FAILED;
    }
    conn->out_sent += (uint64_t)sent;
    thread->stats.sent_bytes += (uint64_t)sent;
    if (conn->out_sent == conn->out_bytes && conn->close_after_output)
        return SERVE_CLOSE;
    return SERVE_GO_ON;
}
