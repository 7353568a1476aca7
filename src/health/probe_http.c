/* probe_http.c: HTTP/1 probes through libcurl's multi interface, driven by an epoll descriptor of its own. Runs in
 * the health thread.
 *
 * Every probe is a connection of its own (reachability is what is asked), to a numeric address (libcurl's resolver
 * would be a thread), without proxy, redirect, cookie or any protocol but http. Of the answer at most 64 KiB of
 * headers and 64 KiB of body are read, whatever the server sends; an answer that neither ends nor reaches that in
 * time is the caller's timeout. */
#include "health/probe.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "health/health.h"
#include "health/probe_socket.h"

enum { HEADER_BYTES_MAX = 65536 };

struct http_prober {
    struct prober base; /* first */
    CURLM *multi;
};

struct probe {
    struct probe_request request;
    CURL *easy;
    struct curl_slist *headers;
    char *body;            /* what check_body is looked for in; allocated as it arrives; NULL without check_body */
    size_t body_bytes;     /* read so far */
    size_t body_capacity;
    size_t header_bytes;
    int fd;                /* libcurl's */
    int connect_errno;     /* why there is no connection, where libcurl does not know; else 0 */
    bool enough;           /* stopped reading by ourselves at PROBE_BODY_BYTES_MAX */
    bool no_memory;
};

static void probe_free(struct probe *probe)
{
    if (probe == NULL)
        return;
    curl_easy_cleanup(probe->easy); /* closes the connection's descriptor */
    curl_slist_free_all(probe->headers);
    free(probe->body);
    free(probe);
}

/* libcurl tells what it waits for on a socket; `known` is what curl_multi_assign() left there. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct http_prober *prober = context;
    struct epoll_event event = { .data.fd = fd };

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (known != NULL)
            epoll_ctl(prober->base.fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(prober->base.fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    curl_multi_assign(prober->multi, fd, prober);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct http_prober *prober = context;

    (void)multi;
    prober->base.wake_ns = timeout_ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)timeout_ms * 1000000;
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct probe *probe = context;

    (void)purpose;
    probe->fd = probe_socket_open(address->family);
    if (probe->fd < 0)
        probe->connect_errno = errno;
    return probe->fd < 0 ? CURL_SOCKET_BAD : probe->fd;
}

/* libcurl 7.88 may tell on_socket() of a socket after it was closed, when its number may be another thread's already:
 * so it leaves the set here, and nothing is known of it afterwards. */
static int on_close_socket(void *context, curl_socket_t fd)
{
    struct http_prober *prober = context;

    epoll_ctl(prober->base.fd, EPOLL_CTL_DEL, fd, NULL);
    curl_multi_assign(prober->multi, fd, NULL); /* fails when libcurl has forgotten it too */
    return probe_socket_close(fd);
}

/* Connected, and nothing was sent yet: a probe that met itself must not read its own request as an answer. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct probe *probe = context;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    if (!probe_socket_is_own_peer(probe->fd))
        return CURL_PREREQFUNC_OK;
    probe->connect_errno = ECONNREFUSED;
    return CURL_PREREQFUNC_ABORT;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;

    (void)data;
    probe->header_bytes += size * count;
    return probe->header_bytes > HEADER_BYTES_MAX ? 0 : size * count;
}

static bool keep_body(struct probe *probe, const char *data, size_t bytes)
{
    if (probe->body_bytes + bytes > probe->body_capacity) {
        size_t capacity = probe->body_capacity == 0 ? 4096 : probe->body_capacity;
        while (capacity < probe->body_bytes + bytes)
            capacity *= 2;
        char *body = realloc(probe->body, capacity);
        if (body == NULL)
            return false;
        probe->body = body;
        probe->body_capacity = capacity;
    }
    memcpy(probe->body + probe->body_bytes, data, bytes);
    return true;
}

/* Returning less than was given ends the transfer with CURLE_WRITE_ERROR. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    size_t bytes = size * count, room = PROBE_BODY_BYTES_MAX - probe->body_bytes;
    size_t taken = bytes < room ? bytes : room;

    if (probe->request.pool->check_body != NULL && taken > 0 && !keep_body(probe, data, taken)) {
        probe->no_memory = true;
        return CURL_WRITEFUNC_ERROR;
    }
    probe->body_bytes += taken;
    probe->enough = probe->body_bytes == PROBE_BODY_BYTES_MAX;
    return probe->enough ? CURL_WRITEFUNC_ERROR : bytes;
}

static bool body_holds(const struct probe *probe, const char *text)
{
    return probe->body_bytes > 0 && memmem(probe->body, probe->body_bytes, text, strlen(text)) != NULL;
}

static enum probe_outcome judge_answer(const struct probe *probe, struct probe_result *result)
{
    const struct config_pool *pool = probe->request.pool;
    long status = 0;

    curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < pool->check_status_min || status > pool->check_status_max) {
        if (pool->check_status_min == pool->check_status_max)
            return probe_failed(result, "HTTP status %ld, wanted %u", status, pool->check_status_min);
        return probe_failed(result, "HTTP status %ld, wanted %u-%u", status, pool->check_status_min,
                            pool->check_status_max);
    }
    if (pool->check_body != NULL && !body_holds(probe, pool->check_body))
        return probe_failed(result, "body lacks \"%s\"", pool->check_body);
    result->reason[0] = '\0';
    return result->outcome = PROBE_PASSED;
}

static enum probe_outcome judge_transfer(const struct probe *probe, CURLcode code, struct probe_result *result)
{
    long os_error = 0;

    if (probe->connect_errno != 0)
        return probe_errno(result, probe->connect_errno, probe->request.addr);
    if (probe->no_memory || code == CURLE_OUT_OF_MEMORY)
        return probe_errno(result, ENOMEM, probe->request.addr);
    if (code == CURLE_OK || probe->enough)
        return judge_answer(probe, result);
    curl_easy_getinfo(probe->easy, CURLINFO_OS_ERRNO, &os_error);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        if (os_error == 0)
            return probe_failed(result, "cannot connect");
        return probe_errno(result, (int)os_error, probe->request.addr);
    case CURLE_GOT_NOTHING:
        return probe_failed(result, "closed the connection without an answer");
    case CURLE_PARTIAL_FILE:
        return probe_failed(result, "closed the connection in the middle of its answer");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return probe_failed(result, "connection reset");
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a status line counts as HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
        return probe_failed(result, "does not answer in HTTP/1");
    case CURLE_WRITE_ERROR:
        return probe_failed(result, "HTTP headers of more than %d bytes", HEADER_BYTES_MAX);
    default:
        return probe_failed(result, "%s", curl_easy_strerror(code));
    }
}

static void http_close(struct prober *base)
{
    struct http_prober *prober = (struct http_prober *)base;

    if (prober == NULL)
        return;
    assert(base->probes == 0);
    curl_multi_cleanup(prober->multi);
    if (base->fd >= 0)
        close(base->fd);
    free(prober);
    curl_global_cleanup();
}

static struct prober *http_open(probe_done_fn *done, int *error)
{
    struct http_prober *prober = calloc(1, sizeof(*prober));

    *error = -ENOMEM;
    if (prober == NULL || curl_global_init(CURL_GLOBAL_NOTHING) != 0) {
        free(prober);
        return NULL;
    }
    prober->base = (struct prober){ .ops = &probe_http_ops, .done = done, .wake_ns = UINT64_MAX };
    prober->base.fd = epoll_create1(EPOLL_CLOEXEC);
    if (prober->base.fd < 0) {
        *error = -errno;
        goto fail;
    }
    prober->multi = curl_multi_init();
    if (prober->multi == NULL)
        goto fail;
    curl_multi_setopt(prober->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(prober->multi, CURLMOPT_SOCKETDATA, prober);
    curl_multi_setopt(prober->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(prober->multi, CURLMOPT_TIMERDATA, prober);
    return &prober->base;
fail:
    http_close(&prober->base);
    return NULL;
}

/* Where to connect; the name in the URL is never looked up. */
static bool set_destination(CURL *easy, const struct addr *addr)
{
    char host[ADDR_TEXT_BYTES], text[ADDR_TEXT_BYTES + 16];
    struct addr plain = *addr;

    if (addr_family(addr) == AF_UNIX) {
        size_t bytes = addr->length - offsetof(struct sockaddr_un, sun_path);
        bool abstract = addr->un.sun_path[0] == '\0';
        snprintf(text, sizeof text, "%.*s", (int)bytes - abstract, addr->un.sun_path + abstract);
        CURLoption option = abstract ? CURLOPT_ABSTRACT_UNIX_SOCKET : CURLOPT_UNIX_SOCKET_PATH;
        return curl_easy_setopt(easy, CURLOPT_URL, "http://localhost/") == CURLE_OK
               && curl_easy_setopt(easy, option, text) == CURLE_OK;
    }
    if (addr_family(addr) == AF_INET6) { /* the zone by number: a URL would need it escaped */
        curl_easy_setopt(easy, CURLOPT_ADDRESS_SCOPE, (long)addr->in6.sin6_scope_id);
        plain.in6.sin6_scope_id = 0;
    }
    snprintf(text, sizeof text, "http://%s/", addr_format(&plain, host, sizeof host));
    return curl_easy_setopt(easy, CURLOPT_URL, text) == CURLE_OK;
}

/* check_path goes out as it was written (REQUEST_TARGET), not as libcurl would normalise it. "Connection: close"
 * tells the server what will happen. */
static bool set_request(struct probe *probe)
{
    const struct config_pool *pool = probe->request.pool;
    CURL *easy = probe->easy;
    char host[512];

    probe->headers = curl_slist_append(NULL, "Connection: close");
    if (probe->headers == NULL)
        return false;
    if (pool->check_host != NULL) {
        snprintf(host, sizeof host, "Host: %s", pool->check_host);
        if (curl_slist_append(probe->headers, host) == NULL)
            return false;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, probe->headers);
    if (strcmp(pool->check_method, "HEAD") == 0) /* else libcurl would wait for a body */
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, pool->check_method) == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, pool->check_path) == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_USERAGENT, "penstock") == CURLE_OK;
}

static bool set_transfer(struct probe *probe, struct http_prober *prober)
{
    CURL *easy = probe->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, probe);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* nothing is looked up, so nothing is worth keeping */
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, prober);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, probe);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK; /* whatever http_proxy says */
}

static enum probe_outcome http_start(struct prober *base, const struct probe_request *request, struct probe **out,
                                     struct probe_result *result)
{
    struct http_prober *prober = (struct http_prober *)base;
    struct probe *probe = calloc(1, sizeof(*probe));

    if (probe == NULL)
        goto fail;
    probe->request = *request;
    probe->easy = curl_easy_init();
    if (probe->easy == NULL || !set_transfer(probe, prober) || !set_destination(probe->easy, request->addr)
        || !set_request(probe))
        goto fail;
    if (curl_multi_add_handle(prober->multi, probe->easy) != CURLM_OK)
        goto fail;
    base->probes++;
    *out = probe;
    return PROBE_PENDING;
fail:
    probe_free(probe);
    return probe_errno(result, ENOMEM, request->addr);
}

static void http_abandon(struct prober *base, struct probe *probe)
{
    struct http_prober *prober = (struct http_prober *)base;

    assert(base->probes > 0);
    base->probes--;
    curl_multi_remove_handle(prober->multi, probe->easy);
    probe_free(probe);
}

static void report_finished(struct http_prober *prober)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(prober->multi, &left)) != NULL) {
        struct probe *probe = NULL;
        struct probe_result result;
        assert(message->msg == CURLMSG_DONE);
        CURLcode code = message->data.result; /* the message is gone after the handle is removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&probe);
        void *cookie = probe->request.cookie;
        judge_transfer(probe, code, &result);
        http_abandon(&prober->base, probe);
        prober->base.done(cookie, &result);
    }
}

static void http_process(struct prober *base)
{
    struct http_prober *prober = (struct http_prober *)base;
    struct epoll_event events[HEALTH_PROBES_MAX];
    int running, count = epoll_wait(base->fd, events, HEALTH_PROBES_MAX, 0);

    for (int i = 0; i < count; i++) {
        uint32_t seen = events[i].events;
        int what = (seen & EPOLLIN ? CURL_CSELECT_IN : 0) | (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0)
                   | (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(prober->multi, events[i].data.fd, what, &running);
    }
    if (base->wake_ns <= clock_now_ns()) {
        base->wake_ns = UINT64_MAX; /* libcurl sets the next one, if any, inside this call */
        curl_multi_socket_action(prober->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    report_finished(prober);
}

const struct probe_ops probe_http_ops = {
    .name = "http",
    .open = http_open,
    .close = http_close,
    .start = http_start,
    .abandon = http_abandon,
    .process = http_process,
};
