/* admin/http.h: a request and its answer, without the HTTP library, so that handlers are functions that a test can call.
 *
 * Pure functions, any thread. */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    HTTP_TARGET_BYTES = 4096,  /* longest path and query, including the terminating zero */
    HTTP_SEGMENTS_MAX = 8,
    HTTP_ARGUMENTS_MAX = 16,
    HTTP_BODY_BYTES = 65536,   /* longest body of a request */
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE }; /* HEAD is handled as GET; the server omits the body of its answer */
#define HTTP_METHODS 5

/* Who sent the request: the process at the other end of a UNIX socket. */
struct http_peer {
    bool known; /* false for TCP */
    uid_t uid;
    pid_t pid;
};

/* One name=value of the query. `value` is "" without "=". */
struct http_argument {
    const char *name, *value;
};

/* All strings are decoded: no percent escapes, valid as C strings (no zero byte inside). They live as long as the request. */
struct http_request {
    enum http_method method;
    const char *segments[HTTP_SEGMENTS_MAX];          /* of the path, between slashes */
    size_t segment_count;                             /* 0 for "/" */
    const char *values[HTTP_SEGMENTS_MAX];            /* segments that match {name} in the route's pattern, in order */
    struct http_argument arguments[HTTP_ARGUMENTS_MAX]; /* in the order of the query; names may repeat */
    size_t argument_count;
    const char *body;                                 /* complete; not terminated, any bytes */
    size_t body_bytes;                                /* 0 to HTTP_BODY_BYTES */
    struct http_peer peer;
    char text[HTTP_TARGET_BYTES];                     /* holds the strings */
};

/* The answer. All zero means: the handler has not answered. */
struct http_answer {
    unsigned status;          /* 200 and so on */
    const char *type;         /* Content-Type; static memory */
    char *body;               /* from malloc(); the server frees it */
    size_t body_bytes;
    const char *fixed_body;   /* instead of `body`: static memory */
    const char *policy;       /* Content-Security-Policy; static memory; NULL: none */
    char allow[40];           /* Allow; "": none */
};

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"

/* Splits and decodes `target`, such as "/v1/pools/a%20b?x=1", and sets everything in the request except values, body and peer. Returns 0, or the status of
 * the error: 400 (bad escape, a zero byte, too many parts), 414 (too long) or 501 (unknown method). */
unsigned http_request_parse(struct http_request *request, const char *method, const char *target);

/* Returns the value of the first argument of this name, or NULL. */
const char *http_request_argument(const struct http_request *request, const char *name);

/* Whether every argument has one of the `count` names, and none is repeated. Otherwise answers 400 and says which argument is wrong. */
bool http_request_allow(const struct http_request *request, const char *const *names, size_t count, struct http_answer *answer);

/* Answers with `body` from malloc(), which the answer owns from here on. NULL means that memory ran out: then answers 503. */
void http_answer_body(struct http_answer *answer, unsigned status, const char *type, char *body, size_t body_bytes);

/* Answers {"error":"..."} with one plain sentence. Replaces an earlier answer. The text is escaped for JSON and may be up to 1,500 bytes long. */
void http_answer_error(struct http_answer *answer, unsigned status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Frees the body, and makes the answer all zero. */
void http_answer_deinit(struct http_answer *answer);

#endif
