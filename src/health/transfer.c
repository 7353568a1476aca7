/* health/transfer.c: drives the transfers of probes through libcurl's multi interface, with an epoll descriptor of its own. Health thread; owns the probes and
 * the multi handle. */
#include "health/transfer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "health/destination.h"
#include "health/health.h"
#include "health/probe_socket.h"
#include "health/tls.h"

#define NS_PER_MS UINT64_C(1000000)

struct transfer_prober {
    struct prober base;    /* first */
    const struct transfer_kind *kind;
    CURLM *multi;
    uint64_t curl_wake_ns; /* when libcurl must be called; UINT64_MAX: no time is set */
    struct list undecided; /* probes that need more data */
    struct list decided;   /* probes whose outcome is certain, ordered by report_ns */
};

static void free_probe(struct probe *probe, const struct transfer_kind *kind)
{
    if (!probe)
        return;
    curl_easy_cleanup(probe->easy); /* also closes the descriptor */
    curl_slist_free_all(probe->headers);
    curl_slist_free_all(probe->connect_to);
    if (kind->clean)
        kind->clean(probe);
    unread_deinit(&probe->unread);
    free(probe);
}

/* libcurl reports what it waits for on a socket. `known` is the value of curl_multi_assign(). */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct transfer_prober *prober = context;
    struct epoll_event event = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (known)
            epoll_ctl(prober->base.fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(prober->base.fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(prober->multi, fd, prober);
    return 0;
}

static struct probe *first_decided(const struct transfer_prober *prober)
{
    return list_empty(&prober->decided) ? NULL : container_of(prober->decided.next, struct probe, link);
}

static void set_wake(struct transfer_prober *prober)
{
    const struct probe *probe = first_decided(prober);

    prober->base.wake_ns = prober->curl_wake_ns;
    if (probe && probe->report_ns < prober->base.wake_ns)
        prober->base.wake_ns = probe->report_ns;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct transfer_prober *prober = context;

    (void)multi;
    prober->curl_wake_ns = timeout_ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    set_wake(prober);
    return 0;
}

/* Opens the one socket of a probe. libcurl would connect up to five times more if a server refuses an HTTP/2 stream. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct probe *probe = context;

    (void)purpose;
    if (probe->opened && !probe->again) {
        probe->refused = true;
        return CURL_SOCKET_BAD;
    }
    probe->opened = true;
    if (probe->again)
        probe->fd = unread_open(&probe->unread, address);
    else
        probe->fd = probe_socket_open(address->family);
    if (probe->fd < 0)
        probe->connect_errno = errno;
    return probe->fd < 0 ? CURL_SOCKET_BAD : probe->fd;
}

/* Notes, before the socket of a probe is closed, what cannot be seen afterwards: that it is connected to itself, which breaks TLS and HTTP/2 before
 * on_connected() is called, and an answer that libcurl has not read because it could not send its request (health/unread.h). */
static void note_closing(struct transfer_prober *prober, int fd)
{
    for (struct list *link = prober->undecided.next; link != &prober->undecided; link = link->next) {
        struct probe *probe = container_of(link, struct probe, link);
        if (probe->fd != fd)
            continue;
        probe->fd = -1;
        if (!probe->connected && probe_socket_is_own_peer(fd))
            probe->connect_errno = ECONNREFUSED;
        if (probe->saves_unread && !probe->again && !probe->heard)
            unread_save(&probe->unread, fd);
    }
}

/* libcurl 7.88 may call on_socket() for a socket after it was closed, when another thread may already use its number. So the socket is removed from the
 * epoll set here, and is unknown afterwards. */
static int on_close_socket(void *context, curl_socket_t fd)
{
    struct transfer_prober *prober = context;

    epoll_ctl(prober->base.fd, EPOLL_CTL_DEL, fd, NULL);
    curl_multi_assign(prober->multi, fd, NULL); /* fails if libcurl no longer knows the socket */
    note_closing(prober, fd);
    return probe_socket_close(fd);
}

/* Called when the socket is connected, with TLS if there is any, and no request was sent yet. A probe that is connected to itself must not read its own request
 * as an answer. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct probe *probe = context;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    probe->connected = true;
    if (probe->again)
        unread_send(&probe->unread);
    if (!probe_socket_is_own_peer(probe->fd))
        return CURL_PREREQFUNC_OK;
    probe->connect_errno = ECONNREFUSED;
    return CURL_PREREQFUNC_ABORT;
}

/* All probes wait equally long, so appending keeps the list in the order of time. */
static void note_decided(struct probe *probe)
{
    if (probe->report_ns != 0 || !probe->prober->kind->is_decided(probe))
        return;
    probe->report_ns = clock_now_ns() + TRANSFER_ORDERLY_END_MS * NS_PER_MS;
    list_remove(&probe->link);
    list_append(&probe->prober->decided, &probe->link);
}

/* Returning less than the given size ends the transfer with CURLE_WRITE_ERROR. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    long status = 0;

    probe->heard = true;
    curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!probe->prober->kind->add_header(probe, data, size * count, status))
        return 0;
    note_decided(probe);
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;

    if (!probe->prober->kind->add_body(probe, data, size * count))
        return CURL_WRITEFUNC_ERROR;
    note_decided(probe);
    return size * count;
}

static void judge_transfer(const struct probe *probe, CURLcode code, struct probe_result *result)
{
    struct transfer_end end = {.code = code, .connected = probe->connected, .was_unread = probe->again, .refused = probe->refused,
                               .text = probe->error_text};

    if (probe->connect_errno != 0) {
        probe_errno(result, probe->connect_errno, probe->request.addr);
        return;
    }
    curl_easy_getinfo(probe->easy, CURLINFO_OS_ERRNO, &end.os_error);
    if (!probe->tls || probe->heard || !tls_explain_end(probe, &end, result))
        probe->prober->kind->judge(probe, &end, result);
}

void transfer_close(struct prober *base)
{
    struct transfer_prober *prober = (struct transfer_prober *)base;

    if (!prober)
        return;
    assert(base->probes == 0);
    curl_multi_cleanup(prober->multi);
    if (base->fd >= 0)
        close(base->fd);
    free(prober);
    curl_global_cleanup();
}

struct prober *transfer_open(const struct transfer_kind *kind, probe_done_fn *done, int *error)
{
    struct transfer_prober *prober = calloc(1, sizeof(*prober));

    *error = -ENOMEM;
    if (!prober || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(prober);
        return NULL;
    }
    prober->base = (struct prober){.ops = kind->ops, .done = done, .wake_ns = UINT64_MAX};
    prober->kind = kind;
    prober->curl_wake_ns = UINT64_MAX;
    list_init(&prober->undecided);
    list_init(&prober->decided);
    prober->base.fd = epoll_create1(EPOLL_CLOEXEC);
    if (prober->base.fd < 0) {
        *error = -errno;
        goto fail;
    }
    prober->multi = curl_multi_init();
    if (!prober->multi)
        goto fail;
    curl_multi_setopt(prober->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(prober->multi, CURLMOPT_SOCKETDATA, prober);
    curl_multi_setopt(prober->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(prober->multi, CURLMOPT_TIMERDATA, prober);
    return &prober->base;
fail:
    transfer_close(&prober->base);
    return NULL;
}

static bool set_transfer(struct probe *probe)
{
    CURL *easy = probe->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, probe);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->error_text);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* nothing is looked up */
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, probe);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, probe->prober);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, probe);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
    return curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK /* ignore the variable http_proxy */
           && curl_easy_setopt(easy, CURLOPT_USERAGENT, "penstock") == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
}

enum probe_outcome transfer_start(struct prober *base, const struct probe_request *request, struct probe **out, struct probe_result *result)
{
    struct transfer_prober *prober = (struct transfer_prober *)base;
    struct probe *probe = calloc(1, prober->kind->probe_bytes);

    if (!probe)
        goto fail;
    probe->request = *request;
    probe->prober = prober;
    list_init(&probe->link);
    probe->fd = -1;
    unread_init(&probe->unread);
    probe->easy = curl_easy_init();
    if (!probe->easy || !set_transfer(probe) || !prober->kind->prepare(probe) || !destination_set(probe))
        goto fail;
    if (curl_multi_add_handle(prober->multi, probe->easy) != CURLM_OK)
        goto fail;
    list_append(&prober->undecided, &probe->link);
    base->probes++;
    *out = probe;
    return PROBE_PENDING;
fail:
    free_probe(probe, prober->kind);
    return probe_errno(result, ENOMEM, request->addr);
}

void transfer_abandon(struct prober *base, struct probe *probe)
{
    struct transfer_prober *prober = (struct transfer_prober *)base;

    assert(base->probes > 0);
    base->probes--;
    list_remove(&probe->link);
    curl_multi_remove_handle(prober->multi, probe->easy);
    free_probe(probe, prober->kind);
}

void transfer_expire(struct prober *base, struct probe *probe, struct probe_result *result)
{
    probe->prober->kind->judge_late(probe, result);
    transfer_abandon(base, probe);
}

static void report_result(struct transfer_prober *prober, struct probe *probe, const struct probe_result *result)
{
    void *cookie = probe->request.cookie;

    transfer_abandon(&prober->base, probe);
    prober->base.done(cookie, result);
}

/* Makes libcurl read the answer that it left unread. */
static bool read_again(struct transfer_prober *prober, struct probe *probe, CURLcode code)
{
    if ((code != CURLE_SEND_ERROR && code != CURLE_COULDNT_CONNECT) || probe->unread.bytes == 0)
        return false;
    probe->again = true;
    curl_multi_remove_handle(prober->multi, probe->easy);
    return curl_multi_add_handle(prober->multi, probe->easy) == CURLM_OK;
}

static void report_finished(struct transfer_prober *prober)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(prober->multi, &left)) != NULL) {
        struct probe *probe = NULL;
        struct probe_result result;
        assert(message->msg == CURLMSG_DONE);
        CURLcode code = message->data.result; /* the message is invalid after the handle was removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&probe);
        if (read_again(prober, probe, code))
            continue;
        judge_transfer(probe, code, &result);
        report_result(prober, probe, &result);
    }
}

static void report_decided(struct transfer_prober *prober)
{
    struct probe *probe;
    struct probe_result result;

    while ((probe = first_decided(prober)) != NULL && probe->report_ns <= clock_now_ns()) {
        prober->kind->judge(probe, NULL, &result);
        report_result(prober, probe, &result);
    }
}

void transfer_process(struct prober *base)
{
    struct transfer_prober *prober = (struct transfer_prober *)base;
    struct epoll_event events[HEALTH_PROBES_MAX];
    int running, count = epoll_wait(base->fd, events, HEALTH_PROBES_MAX, 0);

    for (int i = 0; i < count; i++) {
        uint32_t seen = events[i].events;
        /* For EPOLLERR alone, libcurl would only report that sending failed. Receiving tells it the error. */
        int what = (seen & (EPOLLIN | EPOLLERR | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(prober->multi, events[i].data.fd, what, &running);
    }
    if (prober->curl_wake_ns <= clock_now_ns()) {
        prober->curl_wake_ns = UINT64_MAX; /* libcurl sets the next time, if any, during this call */
        curl_multi_socket_action(prober->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    report_finished(prober);
    report_decided(prober);
    set_wake(prober);
}
