/* work_rpc.c: requests and replies. A connection carries many (rpc), one (connect), or one at the end (idle). A load thread. */
#include <string.h>

#include "load.h"

static void rpc_begin(struct load_thread *thread, struct load_conn *conn)
{
    const struct load_settings *settings = thread->settings;
    uint64_t id = (uint64_t)conn->index << 32 | conn->serial;
    conn->request = (struct protocol_request){
        .magic = PROTOCOL_REQUEST_MAGIC,
        .request_bytes = (uint32_t)settings->size,
        .reply_bytes = settings->reply,
        .id = id,
        .key = protocol_mix(settings->seed, id),
    };
    conn->sent = conn->received = conn->expected = 0;
    conn->head_bytes = sizeof(conn->request);
    conn->echo = false;
    conn->sending = true;
}

static enum load_step rpc_send(struct load_thread *thread, struct load_conn *conn)
{
    uint64_t total = conn->request.request_bytes, head = sizeof(conn->request);
    size_t length = 0;
    if (conn->sent < head) {
        length = (size_t)(head - conn->sent);
        memcpy(thread->scratch, (const uint8_t *)&conn->request + conn->sent, length);
    }
    uint64_t left = total - conn->sent - length;
    size_t fill = left < sizeof(thread->scratch) - length ? (size_t)left : sizeof(thread->scratch) - length;
    protocol_fill(conn->request.key, conn->sent + length - head, thread->scratch + length, fill);
    enum load_step step = load_send(thread, conn, thread->scratch, length + fill);
    conn->sending = conn->sent < total;
    return step;
}

static enum load_step rpc_receive(struct load_thread *thread, struct load_conn *conn, const uint8_t *data,
                                  size_t length)
{
    enum load_step step = load_answer(thread, conn, data, length, true);
    if (step == LOAD_GO_ON && conn->expected > 0 && conn->received == conn->expected)
        return LOAD_DONE;
    return step;
}

static enum load_step rpc_end(struct load_thread *thread, struct load_conn *conn)
{
    (void)thread;
    (void)conn;
    return LOAD_FAILED_EOF;
}

const struct load_work load_work_rpc = {
    .name = "rpc", .persistent = true, .begin = rpc_begin, .send = rpc_send, .receive = rpc_receive, .end = rpc_end};
const struct load_work load_work_connect = {
    .name = "connect", .begin = rpc_begin, .send = rpc_send, .receive = rpc_receive, .end = rpc_end};
const struct load_work load_work_idle = {.name = "idle",
                                         .persistent = true,
                                         .hold = true,
                                         .begin = rpc_begin,
                                         .send = rpc_send,
                                         .receive = rpc_receive,
                                         .end = rpc_end};
