/* admin/exchange.c: receives requests from the HTTP library, has them handled, and hands their answers to it. Bounds what clients can make it keep:
 * connections, the size of a request, the bytes of answers that they do not read. Admin thread; owns the connections. */
#include "admin/exchange.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "log/log.h"

enum {
    IDLE_SECONDS = 10,              /* a connection on which nothing moves is closed */
    CONNECTION_BYTES = 32768,       /* memory of a connection for the head of a request and of an answer */
    ROOM = 8,                       /* the oldest connections are closed before the last places are taken, so that a new client need not wait */
    DISCARDED_BYTES_MAX = 1 << 20,  /* of a body that is too long: then the client gets no answer, because one can be sent only after the body */
};
#define SECOND_NS UINT64_C(1000000000)
#define TELL_EVERY_NS (60 * SECOND_NS)

struct connection {
    struct list link;
    struct endpoint *endpoint;
    int fd;
    uint64_t since_ns; /* of the accept, the last answer, or the beginning of the present answer */
    bool answering, displaced;
    struct http_peer peer;
    struct exchange *exchange; /* the present request; NULL: none yet */
};

struct exchange {
    struct http_request request;
    const struct route *route; /* NULL: its head is not complete yet */
    char *target;              /* path and query as the client has sent them; NULL: out of memory */
    char *body;
    size_t body_bytes, discarded_bytes;
};

/* An answer that the library sends. */
struct unread {
    struct exchange_totals *totals;
    char *body;
    size_t bytes;
};

static void free_exchange(struct connection *connection)
{
    if (!connection->exchange)
        return;
    free(connection->exchange->target);
    free(connection->exchange->body);
    free(connection->exchange);
    connection->exchange = NULL;
}

static struct connection *find_connection(struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* The connection has just done something: it is the last one that is closed for a new one. */
static void note_action(struct connection *connection, bool answering)
{
    connection->answering = answering;
    connection->since_ns = clock_now_ns();
    list_remove(&connection->link);
    list_append(&connection->endpoint->connections, &connection->link);
}

static void tell_displaced(struct exchange_totals *totals, uint64_t now)
{
    if (totals->told_at_ns && now - totals->told_at_ns < TELL_EVERY_NS)
        return;
    log_warn("admin: too many connections: the longest idle ones are closed for new ones, %" PRIu64 " since the last such line",
             totals->displaced - totals->told_displaced);
    totals->told_displaced = totals->displaced;
    totals->told_at_ns = now;
}

/* Closes the connection that has waited longest for a request; or, if all of them are being answered, the one whose client reads slowest. */
static void displace_oldest(struct endpoint *endpoint)
{
    struct connection *victim = NULL;
    uint64_t now = clock_now_ns();

    for (struct list *link = endpoint->connections.next; link != &endpoint->connections; link = link->next) {
        struct connection *connection = container_of(link, struct connection, link);

        if (connection->displaced)
            continue;
        if (!connection->answering) {
            victim = connection;
            break;
        }
        if (!victim && now - connection->since_ns > IDLE_SECONDS * SECOND_NS)
            victim = connection;
    }
    if (!victim)
        return; /* further clients wait in the backlog */
    (void)shutdown(victim->fd, SHUT_RDWR); /* the library then sees its end */
    victim->displaced = true;
    endpoint->totals->displaced++;
    tell_displaced(endpoint->totals, now);
}

static void open_connection(struct endpoint *endpoint, struct MHD_Connection *handle, void **context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = info ? calloc(1, sizeof(*connection)) : NULL;
    struct ucred ucred;
    socklen_t length = sizeof(ucred);

    *context = connection;
    if (!connection)
        return;
    list_init(&connection->link);
    connection->endpoint = endpoint;
    connection->fd = info->connect_fd;
    if (!endpoint->read_only && getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &ucred, &length) == 0)
        connection->peer = (struct http_peer){.known = true, .uid = ucred.uid, .pid = ucred.pid};
    note_action(connection, false);
    if (++endpoint->connection_count > ADMIN_CONNECTIONS_MAX - ROOM)
        displace_oldest(endpoint);
}

static void note_connection(void *cls, struct MHD_Connection *handle, void **context, enum MHD_ConnectionNotificationCode what)
{
    struct endpoint *endpoint = cls;
    struct connection *connection = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        open_connection(endpoint, handle, context);
    } else if (connection) {
        list_remove(&connection->link);
        endpoint->connection_count--;
        endpoint->has_room = true;
        free_exchange(connection);
        free(connection);
        *context = NULL;
    }
}

/* The library has read the first line of a request. */
static void *begin_request(void *cls, const char *target, struct MHD_Connection *handle)
{
    struct connection *connection = find_connection(handle);

    (void)cls;
    if (!connection)
        return NULL;
    free_exchange(connection);
    connection->exchange = calloc(1, sizeof(*connection->exchange));
    if (connection->exchange)
        connection->exchange->target = strdup(target);
    return NULL; /* the connection has it */
}

static void end_request(void *cls, struct MHD_Connection *handle, void **context, enum MHD_RequestTerminationCode why)
{
    struct connection *connection = find_connection(handle);

    (void)cls;
    (void)context;
    (void)why;
    if (!connection)
        return;
    free_exchange(connection);
    note_action(connection, false);
}

static void free_unread(void *cls)
{
    struct unread *unread = cls;

    unread->totals->unread_bytes -= unread->bytes;
    free(unread->body);
    free(unread);
}

/* Moves the body of the answer into a response of the library. Returns NULL if out of memory; then the answer has kept it. */
static struct MHD_Response *make_response(struct exchange_totals *totals, struct http_answer *answer)
{
    struct MHD_Response *response;
    struct unread *unread;

    if (!answer->body) /* the library does not write to a persistent buffer */
        return MHD_create_response_from_buffer(answer->body_bytes, (void *)(uintptr_t)answer->fixed_body, MHD_RESPMEM_PERSISTENT);
    unread = malloc(sizeof(*unread));
    if (!unread)
        return NULL;
    *unread = (struct unread){.totals = totals, .body = answer->body, .bytes = answer->body_bytes};
    response = MHD_create_response_from_buffer_with_free_callback_cls(unread->bytes, unread->body, free_unread, unread);
    if (!response) {
        free(unread);
        return NULL;
    }
    totals->unread_bytes += unread->bytes;
    answer->body = NULL; /* the response owns it */
    return response;
}

/* Sends the answer and empties it. `last`: the connection is closed after it. */
static enum MHD_Result send_answer(struct connection *connection, struct MHD_Connection *handle, struct http_answer *answer, bool last)
{
    enum MHD_Result result = MHD_YES;
    struct MHD_Response *response;

    if (answer->body && connection->endpoint->totals->unread_bytes + answer->body_bytes > EXCHANGE_UNREAD_BYTES_MAX)
        http_answer_error(answer, 503, "too many answers have not been read yet");
    response = make_response(connection->endpoint->totals, answer);
    if (response) {
        if (answer->type)
            result &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
        if (answer->policy)
            result &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, answer->policy);
        if (answer->allow[0] != '\0')
            result &= MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
        if (last)
            result &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
        result &= MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        result &= MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        if (result == MHD_YES)
            result = MHD_queue_response(handle, answer->status, response);
        MHD_destroy_response(response);
    }
    http_answer_deinit(answer);
    note_action(connection, true);
    return response ? result : MHD_NO; /* NO closes the connection */
}

/* The head of a request is complete: answers if that suffices to refuse it. */
static enum MHD_Result read_head(struct connection *connection, struct MHD_Connection *handle, const char *method)
{
    struct exchange *exchange = connection->exchange;
    const char *length = MHD_lookup_connection_value(handle, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct http_answer answer = {0};
    unsigned error = http_request_parse(&exchange->request, method, exchange->target);

    if (error == 501)
        http_answer_error(&answer, error, "there is no such method");
    else if (error == 414)
        http_answer_error(&answer, error, "the path and query are longer than %d bytes", HTTP_TARGET_BYTES - 1);
    else if (error)
        http_answer_error(&answer, error, "the path or query cannot be read");
    else if (length && strtoull(length, NULL, 10) > HTTP_BODY_BYTES) /* the library has checked that it is a number */
        http_answer_error(&answer, 413, "the body is longer than %d bytes", HTTP_BODY_BYTES);
    else
        exchange->route = route_find(&exchange->request, connection->endpoint->read_only, &answer);
    exchange->request.peer = connection->peer;
    return exchange->route ? MHD_YES : send_answer(connection, handle, &answer, error || length);
}

/* Appends to the body, or discards what is too long. */
static enum MHD_Result read_body(struct exchange *exchange, const char *data, size_t bytes)
{
    char *body;

    if (exchange->discarded_bytes > 0 || exchange->body_bytes + bytes > HTTP_BODY_BYTES) {
        exchange->discarded_bytes += bytes;
        return exchange->discarded_bytes > DISCARDED_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    body = realloc(exchange->body, exchange->body_bytes + bytes);
    if (!body)
        return MHD_NO;
    memcpy(body + exchange->body_bytes, data, bytes);
    exchange->body = body;
    exchange->body_bytes += bytes;
    return MHD_YES;
}

static enum MHD_Result handle_request(struct connection *connection, struct MHD_Connection *handle)
{
    struct exchange *exchange = connection->exchange;
    struct http_answer answer = {0};

    exchange->request.body = exchange->body ? exchange->body : "";
    exchange->request.body_bytes = exchange->body_bytes;
    if (exchange->discarded_bytes > 0)
        http_answer_error(&answer, 413, "the body is longer than %d bytes", HTTP_BODY_BYTES);
    else
        exchange->route->handle(connection->endpoint->service, &exchange->request, &answer);
    assert(answer.status != 0);
    return send_answer(connection, handle, &answer, exchange->discarded_bytes > 0);
}

/* The library calls it once with the head, then for each part of the body, and once more at the end. */
static enum MHD_Result receive_request(void *cls, struct MHD_Connection *handle, const char *url, const char *method, const char *version, const char *data,
                                       size_t *bytes, void **context)
{
    struct connection *connection = find_connection(handle);
    enum MHD_Result result;

    (void)cls;
    (void)url;
    (void)version;
    (void)context;
    if (!connection || !connection->exchange || !connection->exchange->target)
        return MHD_NO; /* out of memory */
    if (!connection->exchange->route)
        return read_head(connection, handle, method);
    if (*bytes == 0)
        return handle_request(connection, handle);
    result = read_body(connection->exchange, data, *bytes);
    *bytes = 0;
    return result;
}

__attribute__((format(printf, 2, 0))) static void log_message(void *cls, const char *format, va_list arguments)
{
    char text[256];

    (void)cls;
    (void)vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("admin: %s", text);
}

int exchange_open(struct endpoint *endpoint, int fd)
{
    list_init(&endpoint->connections);
    endpoint->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, receive_request, endpoint,
                                        MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL, /* first, so that it also gets messages about the others */
                                        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
                                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION, note_connection, endpoint,
                                        MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
                                        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    return endpoint->daemon ? 0 : errno ? -errno : -ENOMEM;
}

void exchange_close(struct endpoint *endpoint)
{
    if (endpoint->daemon)
        MHD_stop_daemon(endpoint->daemon);
    endpoint->daemon = NULL;
}
