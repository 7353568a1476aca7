/* work_bulk.c: each connection carries one long stream: to a sink, from a source, or through an echo server. The client ends its stream before the server
 * does, so every transfer includes a half-close. A load thread. */
#include <string.h>
#include <sys/socket.h>

#include "load.h"

static void bulk_begin(struct load_thread *thread, struct load_conn *conn)
{
    const struct load_settings *settings = thread->settings;
    uint64_t id = (uint64_t)conn->index << 32 | conn->serial;
    conn->request = (struct protocol_request){
        .magic = PROTOCOL_REQUEST_MAGIC,
        .request_bytes = sizeof(conn->request),
        .reply_bytes = sizeof(struct protocol_reply) + settings->bytes,
        .id = id,
        .key = protocol_mix(settings->seed, id),
    };
    conn->sent = conn->received = conn->expected = 0;
    conn->echo = false;
    conn->sending = true;
    protocol_digest_init(&conn->digest);
}

static enum load_step finish_side(struct load_conn *conn)
{
    conn->sending = false;
    return shutdown(conn->fd, SHUT_WR) < 0 ? LOAD_FAILED_ERRNO : LOAD_GO_ON;
}

/* Sends directly from the pattern, without a copy. */
static enum load_step stream_send(struct load_thread *thread, struct load_conn *conn, bool with_digest)
{
    uint64_t left = thread->settings->bytes - conn->sent, before = conn->sent;
    if (left == 0)
        return finish_side(conn);
    size_t run;
    const uint8_t *span = protocol_span(conn->request.key, conn->sent, &run);
    enum load_step step = load_send(thread, conn, span, run < left ? run : (size_t)left);
    if (with_digest)
        protocol_digest_add(&conn->digest, span, (size_t)(conn->sent - before));
    return step;
}

static enum load_step up_send(struct load_thread *thread, struct load_conn *conn)
{
    return stream_send(thread, conn, true);
}

static enum load_step up_receive(struct load_thread *thread, struct load_conn *conn, const uint8_t *data,
                                 size_t length)
{
    struct protocol_receipt receipt;
    if (conn->sending)
        return load_wrong(thread, conn, 0, "answer before the end of the stream");
    if (length > sizeof(receipt) - conn->received)
        return load_wrong(thread, conn, sizeof(receipt), "surplus byte");
    memcpy(conn->head + conn->received, data, length);
    conn->received += length;
    if (conn->received < sizeof(receipt))
        return LOAD_GO_ON;
    memcpy(&receipt, conn->head, sizeof(receipt));
    if (receipt.magic != PROTOCOL_RECEIPT_MAGIC || receipt.flags != 0)
        return load_wrong(thread, conn, 0, "wrong receipt (is it serve --mode sink?)");
    if (receipt.bytes != thread->settings->bytes || receipt.digest != protocol_digest_value(&conn->digest))
        return load_wrong(thread, conn, 0, "report of a corrupt stream");
    if (!load_name_is_right(receipt.name, receipt.name_check))
        return load_wrong(thread, conn, 0, "wrong name");
    thread->result->verified_bytes += sizeof(receipt) + receipt.bytes; /* equal digests show that the peer has received the right bytes */
    conn->expected = sizeof(receipt);
    return LOAD_GO_ON;
}

static enum load_step bulk_end(struct load_thread *thread, struct load_conn *conn)
{
    (void)thread;
    return conn->expected > 0 && conn->received == conn->expected && !conn->sending ? LOAD_DONE : LOAD_FAILED_EOF;
}

static void down_begin(struct load_thread *thread, struct load_conn *conn)
{
    bulk_begin(thread, conn);
    conn->head_bytes = sizeof(conn->request);
}

static enum load_step down_send(struct load_thread *thread, struct load_conn *conn)
{
    if (conn->sent == sizeof(conn->request))
        return finish_side(conn);
    return load_send(thread, conn, (const uint8_t *)&conn->request + conn->sent,
                     sizeof(conn->request) - (size_t)conn->sent);
}

static enum load_step down_receive(struct load_thread *thread, struct load_conn *conn, const uint8_t *data,
                                   size_t length)
{
    return load_answer(thread, conn, data, length, false);
}

static void both_begin(struct load_thread *thread, struct load_conn *conn)
{
    bulk_begin(thread, conn);
    conn->echo = true;
    conn->expected = thread->settings->bytes;
    conn->head_bytes = 0;
}

static enum load_step both_send(struct load_thread *thread, struct load_conn *conn)
{
    return stream_send(thread, conn, false);
}

static enum load_step both_receive(struct load_thread *thread, struct load_conn *conn, const uint8_t *data,
                                   size_t length)
{
    if (length > conn->sent - conn->received)
        return load_wrong(thread, conn, conn->sent, "byte that was not sent yet");
    return load_pattern(thread, conn, conn->received, data, length);
}

static enum load_step both_end(struct load_thread *thread, struct load_conn *conn)
{
    (void)thread;
    return conn->sending || conn->received != conn->expected ? LOAD_FAILED_EOF : LOAD_DONE;
}

const struct load_work load_work_bulk_up = {
    .name = "bulk-up", .bulk = true, .begin = bulk_begin, .send = up_send, .receive = up_receive, .end = bulk_end};
const struct load_work load_work_bulk_down = {.name = "bulk-down",
                                              .bulk = true,
                                              .begin = down_begin,
                                              .send = down_send,
                                              .receive = down_receive,
                                              .end = bulk_end};
const struct load_work load_work_bulk_both = {.name = "bulk-both",
                                              .bulk = true,
                                              .begin = both_begin,
                                              .send = both_send,
                                              .receive = both_receive,
                                              .end = both_end};
