/* serve_modes.c: echo, sink and source. A serve thread; all state is in the connection. */
#include <string.h>

#include "serve.h"

static enum serve_step echo_input(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length)
{
    return serve_echo_back(thread, conn, data, length);
}

static enum serve_step echo_end(struct serve_thread *thread, struct serve_conn *conn)
{
    (void)thread;
    (void)conn;
    return SERVE_CLOSE;
}

const struct serve_mode serve_mode_echo = {"echo", echo_input, echo_end};

static enum serve_step sink_input(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length)
{
    (void)thread;
    protocol_digest_add(&conn->digest, data, length);
    return SERVE_GO_ON;
}

static enum serve_step sink_end(struct serve_thread *thread, struct serve_conn *conn)
{
    struct protocol_receipt receipt = {
        .magic = PROTOCOL_RECEIPT_MAGIC,
        .name_check = protocol_name_check(thread->settings->name),
        .bytes = conn->digest.bytes,
        .digest = protocol_digest_value(&conn->digest),
    };
    memcpy(receipt.name, thread->settings->name, sizeof(receipt.name));
    conn->close_after_output = true;
    return serve_reply(thread, conn, &receipt, sizeof(receipt), 0);
}

const struct serve_mode serve_mode_sink = {"sink", sink_input, sink_end};

static enum serve_step source_input(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data,
                                    size_t length)
{
    const uint8_t *rest = data;
    enum serve_step step = serve_take_request(thread, conn, &rest, &length);
    if (step == SERVE_GO_ON && length > 0) {
        thread->stats.bad_requests++;
        return SERVE_RESET;
    }
    return step;
}

static enum serve_step source_end(struct serve_thread *thread, struct serve_conn *conn)
{
    if (conn->request_got != sizeof(conn->request))
        return SERVE_CLOSE; /* the client ended its stream before it had sent a request */
    conn->close_after_output = true;
    return serve_rpc_answer(thread, conn);
}

const struct serve_mode serve_mode_source = {"source", source_input, source_end};
