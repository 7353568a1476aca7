/* serve_rpc.c: reads a request, verifies its payload, and replies with the backend's name. A serve thread; all state is in the connection. */
#include <string.h>

#include "serve.h"

enum { REQUEST_BYTES_MAX = 1 << 30 };

static enum serve_step bad_request(struct serve_thread *thread)
{
    thread->stats.bad_requests++;
    return SERVE_RESET;
}

enum serve_step serve_take_request(struct serve_thread *thread, struct serve_conn *conn, const uint8_t **data,
                                   size_t *length)
{
    struct protocol_request *request = &conn->request;
    if (conn->request_got >= sizeof(*request))
        return SERVE_GO_ON;
    size_t take = sizeof(*request) - (size_t)conn->request_got;
    if (take > *length)
        take = *length;
    memcpy((uint8_t *)request + conn->request_got, *data, take);
    conn->request_got += take;
    *data += take;
    *length -= take;
    if (conn->request_got < sizeof(*request))
        return SERVE_GO_ON;
    conn->request_wrong = false;
    if (request->magic != PROTOCOL_REQUEST_MAGIC || request->request_bytes < sizeof(*request) ||
        request->request_bytes > REQUEST_BYTES_MAX || request->reply_bytes < sizeof(struct protocol_reply))
        return bad_request(thread);
    return SERVE_GO_ON;
}

static enum serve_step rpc_input(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length)
{
    struct protocol_request *request = &conn->request;
    const uint8_t *rest = data;
    enum serve_step step = serve_take_request(thread, conn, &rest, &length);
    if (step != SERVE_GO_ON || conn->request_got < sizeof(*request))
        return step;
    if (length > request->request_bytes - conn->request_got)
        return bad_request(thread);
    if (protocol_verify(request->key, conn->request_got - sizeof(*request), rest, length) != length)
        conn->request_wrong = true;
    conn->request_got += length;
    if (conn->request_got < request->request_bytes)
        return SERVE_GO_ON;
    thread->stats.wrong_payload += conn->request_wrong;
    return serve_service_begin(thread, conn);
}

enum serve_step serve_rpc_answer(struct serve_thread *thread, struct serve_conn *conn)
{
    struct protocol_reply reply = {
        .magic = PROTOCOL_REPLY_MAGIC,
        .flags = conn->request_wrong ? PROTOCOL_REQUEST_CORRUPT : 0,
        .name_check = protocol_name_check(thread->settings->name),
        .reply_bytes = conn->request.reply_bytes,
        .id = conn->request.id,
    };
    memcpy(reply.name, thread->settings->name, sizeof(reply.name));
    conn->request_got = 0;
    return serve_reply(thread, conn, &reply, reply.reply_bytes, protocol_reply_key(conn->request.key));
}

static enum serve_step rpc_end(struct serve_thread *thread, struct serve_conn *conn)
{
    if (conn->request_got > 0)
        thread->stats.bad_requests++; /* the request is incomplete */
    return SERVE_CLOSE;
}

const struct serve_mode serve_mode_rpc = {"rpc", rpc_input, rpc_end};
