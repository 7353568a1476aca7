/* health/probe_stream.c: connects the probes over streams, and reads their answers. Health thread; owns the probes and their descriptors. */
#include "health/probe_stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/payload.h"
#include "health/due.h"
#include "health/probe_socket.h"

#define NS_PER_MS UINT64_C(1000000)

enum { FIRST_ANSWER_BYTES = 1024, DRAINED_BYTES_MAX = 65536 };

enum stream_stage { STREAM_CONNECTING, STREAM_LISTENING };

struct probe {
    struct due due;  /* first member: due_first() is cast to a probe; in stream_prober.silent while silence would pass */
    struct probe_request request;
    int fd;
    enum stream_stage stage;
    struct stream_answer answer;
    size_t capacity; /* of answer.data */
};

struct stream_prober {
    struct prober base; /* first member */
    const struct stream_kind *kind;
    struct due_heap silent;
};

static struct stream_prober *stream_prober(struct prober *prober)
{
    return (struct stream_prober *)prober;
}

struct prober *probe_stream_open(const struct stream_kind *kind, probe_done_fn *done, int *error)
{
    struct stream_prober *prober = malloc(sizeof(*prober));

    *error = -ENOMEM;
    if (!prober)
        return NULL;
    *prober = (struct stream_prober){.kind = kind};
    *error = prober_init(&prober->base, kind->ops, done);
    if (*error == 0)
        return &prober->base;
    free(prober);
    return NULL;
}

void probe_stream_close(struct prober *prober)
{
    if (!prober)
        return;
    due_heap_deinit(&stream_prober(prober)->silent);
    prober_deinit(prober);
    free(stream_prober(prober));
}

static void set_wake(struct prober *prober)
{
    const struct due *due = due_first(&stream_prober(prober)->silent);

    prober->wake_ns = due ? due->at_ns : UINT64_MAX;
}

/* Reads and drops what has arrived, because the kernel resets a connection that is closed with unread bytes. */
static void drop_unread(int fd)
{
    char bytes[4096];

    for (int left = DRAINED_BYTES_MAX; left > 0; left -= (int)sizeof(bytes))
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
            break;
}

void probe_stream_abandon(struct prober *prober, struct probe *probe)
{
    assert(prober->probes > 0);
    prober->probes--;
    if (probe->due.position > 0)
        due_remove(&stream_prober(prober)->silent, &probe->due);
    set_wake(prober);
    if (probe->stage == STREAM_LISTENING)
        drop_unread(probe->fd);
    probe_socket_close(probe->fd); /* also removes it from the epoll set, because there is no other descriptor for this socket */
    free(probe->answer.data);
    free(probe);
}

/* Judges the answer so far and reports the result if there is one. Then the probe no longer exists. */
static void report_decided(struct prober *prober, struct probe *probe)
{
    void *cookie = probe->request.cookie;
    struct probe_result result;

    if (stream_prober(prober)->kind->judge(&probe->answer, &probe->request, &result) == PROBE_PENDING) {
        assert(!probe->answer.is_closed && !probe->answer.is_late);
        return;
    }
    probe_stream_abandon(prober, probe);
    prober->done(cookie, &result);
}

static void report_error(struct prober *prober, struct probe *probe, int error)
{
    void *cookie = probe->request.cookie;
    struct probe_result result;

    probe_errno(&result, error, probe->request.addr);
    probe_stream_abandon(prober, probe);
    prober->done(cookie, &result);
}

/* ---- connecting ---- */

/* Returns 0 or a positive errno. A peer that has ended the connection may have sent an answer before, so that is not an error here. */
static int send_request(int fd, const char *text)
{
    struct payload payload;

    if (payload_parse(&payload, text, false))
        assert(!"the configuration accepted a text that is not valid");
    ssize_t sent = send(fd, payload.bytes, payload.count, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
        return 0;
    if (sent < 0)
        return errno;
    return (size_t)sent == payload.count ? 0 : ENOBUFS; /* the buffer of a new socket holds more than a payload */
}

/* Begins to listen on an established connection. Returns 0 or a positive errno. */
static int begin_listening(struct prober *prober, struct probe *probe)
{
    const struct stream_kind *kind = stream_prober(prober)->kind;
    const struct pool_settings *settings = probe->request.settings;
    const char *text = kind->request(settings);
    uint32_t silence_ms = kind->silence_ms(settings);
    int error = text ? send_request(probe->fd, text) : 0;

    if (error > 0)
        return error;
    probe->stage = STREAM_LISTENING;
    if (silence_ms > 0)
        due_add(&stream_prober(prober)->silent, &probe->due, clock_now_ns() + silence_ms * NS_PER_MS);
    set_wake(prober);
    return 0;
}

enum probe_outcome probe_stream_start(struct prober *prober, const struct probe_request *request, struct probe **out, struct probe_result *result)
{
    const struct addr *addr = request->addr;
    struct probe *probe = NULL;
    int fd = probe_socket_open(addr_family(addr)), error;

    if (fd < 0)
        return probe_errno(result, errno, addr);
    error = connect(fd, &addr->sa, addr->length) < 0 ? errno : 0;
    if (error != 0 && error != EINPROGRESS)
        goto fail;
    probe = malloc(sizeof(*probe));
    error = ENOMEM;
    if (!probe || due_heap_reserve(&stream_prober(prober)->silent, prober->probes + 1) < 0)
        goto fail;
    *probe = (struct probe){.request = *request, .fd = fd};
    error = prober_watch(prober, fd, EPOLLOUT, probe); /* a UNIX socket is writable at once */
    if (error > 0)
        goto fail;
    *out = probe;
    return PROBE_PENDING;
fail:
    probe_socket_close(fd);
    free(probe);
    return probe_errno(result, error, addr);
}

/* The connection is established, or has failed. */
static void take_connection(struct prober *prober, struct probe *probe)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = probe};
    int error = 0;
    socklen_t length = sizeof(error);

    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    if (error == ECONNRESET) { /* it was established and then reset; something may have been sent between */
        probe->answer.error = error;
        error = 0;
    }
    if (error == 0 && probe_socket_is_own_peer(probe->fd))
        error = ECONNREFUSED;
    if (error == 0 && epoll_ctl(prober->fd, EPOLL_CTL_MOD, probe->fd, &event) < 0)
        error = errno;
    if (error == 0)
        error = begin_listening(prober, probe);
    if (error > 0)
        report_error(prober, probe, error);
}

/* ---- listening ---- */

static bool make_room(struct probe *probe)
{
    size_t capacity = probe->capacity == 0 ? FIRST_ANSWER_BYTES : 2 * probe->capacity;
    uint8_t *data = realloc(probe->answer.data, capacity);

    if (!data)
        return false;
    probe->answer.data = data;
    probe->capacity = capacity;
    return true;
}

/* Reads what has arrived, until the answer has `max` bytes. Returns false if memory runs out. */
static bool read_answer(struct probe *probe, size_t max)
{
    struct stream_answer *answer = &probe->answer;

    while (!answer->is_closed && answer->bytes < max) {
        if (answer->bytes + 1 >= probe->capacity && !make_room(probe))
            return false;
        size_t room = (probe->capacity - 1 < max ? probe->capacity - 1 : max) - answer->bytes;
        ssize_t bytes = recv(probe->fd, answer->data + answer->bytes, room, 0);
        if (bytes < 0 && errno == EAGAIN)
            break;
        if (bytes < 0)
            answer->error = errno;
        answer->is_closed = bytes <= 0;
        answer->bytes += bytes > 0 ? (size_t)bytes : 0;
        answer->data[answer->bytes] = '\0';
    }
    return true;
}

static void take_event(struct prober *prober, struct probe *probe)
{
    if (probe->stage == STREAM_CONNECTING)
        take_connection(prober, probe);
    else if (read_answer(probe, stream_prober(prober)->kind->bytes_max))
        report_decided(prober, probe);
    else
        report_error(prober, probe, ENOMEM);
}

/* Ends the waits that have lasted long enough, and the oldest ones if there are too many. */
static void end_waits(struct prober *prober)
{
    struct due_heap *silent = &stream_prober(prober)->silent;
    size_t most = prober->places > 0 ? prober->places / 2 : STREAM_WAITS_MAX;
    uint64_t now_ns = clock_now_ns();

    for (struct due *due; (due = due_first(silent)) != NULL && (due->at_ns <= now_ns || silent->count > most);) {
        struct probe *probe = (struct probe *)due;
        probe->answer.is_late = true;
        report_decided(prober, probe);
    }
}

void probe_stream_expire(struct prober *prober, struct probe *probe, struct probe_result *result)
{
    probe->answer.is_late = true;
    if (probe->stage == STREAM_CONNECTING)
        probe_timed_out(result, "timed out after %u ms", probe->request.settings->check_timeout_ms);
    else if (stream_prober(prober)->kind->judge(&probe->answer, &probe->request, result) == PROBE_PENDING)
        assert(!"a late answer is not judged");
    probe_stream_abandon(prober, probe);
}

/* The probe of an event always exists when the event is handled: each probe has one descriptor and therefore one event, done abandons no probe, and waits end
 * only after all events. */
void probe_stream_process(struct prober *prober)
{
    struct epoll_event events[HEALTH_PROBES_MAX];
    int count = epoll_wait(prober->fd, events, HEALTH_PROBES_MAX, 0);

    for (int i = 0; i < count; i++)
        take_event(prober, events[i].data.ptr);
    end_waits(prober);
}
