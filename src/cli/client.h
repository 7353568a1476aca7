/* cli/client.h: the client of the admin API for subcommands: HTTP over the admin socket of a running Penstock, by libcurl. Main thread. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#define CLIENT_DEFAULT_SOCKET "/run/penstock/admin.sock"

struct client;

/* How a call went. The values are the exit statuses of subcommands. */
enum client_result {
    CLIENT_DONE = 0,        /* status 2xx */
    CLIENT_REFUSED = 1,     /* another status, or an answer that is none; `error` says which */
    CLIENT_UNREACHABLE = 3, /* nothing answers at the socket; `error` says what to do */
};

/* Owned by the caller, who frees it with client_answer_clear(). */
struct client_answer {
    long status;        /* of HTTP; 0: there was no answer */
    json_t *json;       /* the body, if it is JSON; otherwise NULL */
    char *text;         /* the body as it came, zero-terminated; NULL: none */
    size_t text_bytes;
    char error[512];    /* one plain sentence without a newline; "" after CLIENT_DONE */
};

/* `socket`: the path of the admin socket, copied. NULL: out of memory. */
struct client *client_new(const char *socket);
/* NULL is allowed. */
void client_free(struct client *client);

/* The path of the socket. */
const char *client_socket(const struct client *client);

/* Makes one call and waits for its answer, at most `timeout_ms`. `method`: "GET", "POST", "PATCH", "PUT" or "DELETE". `path`: with the query, percent-encoded.
 * `body`: borrowed; NULL: none. Fills `answer`, whose former contents are not freed. The connection stays open for the next call. */
enum client_result client_call(struct client *client, const char *method, const char *path, const json_t *body, long timeout_ms, struct client_answer *answer);

/* Safe on all zero and twice. */
void client_answer_clear(struct client_answer *answer);

/* Percent-encodes a segment of a path or a value of a query. Returns it, to be freed with free(); NULL: out of memory. */
char *client_encode(const char *text);

#endif
