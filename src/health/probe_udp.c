/* health/probe_udp.c: UDP probes: a datagram is sent, and a reply or the lack of an error decides. Health thread; owns the probes and their descriptors.
 *
 * Each probe sends check_send, or one zero byte, once and from a new connected socket. So the kernel drops datagrams from other addresses, and late replies to
 * earlier probes, which had other ports.
 *
 *   check_send or check_expect is set   passes with the first reply, which must match check_expect; times out without a reply
 *   neither is set                      passes unless the datagram is refused within check_timeout, at most PROBE_SILENCE_MS: many servers drop a datagram that
 *                                       is not of their protocol
 *
 * An ICMP error that arrives in time fails a probe in either case. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/expect.h"
#include "base/payload.h"
#include "health/health.h"
#include "health/probe.h"
#include "health/probe_socket.h"

struct probe {
    struct probe_request request;
    int fd;
};

static struct prober *udp_open(probe_done_fn *done, int *error)
{
    return prober_open(&probe_udp_ops, done, error);
}

static enum probe_outcome judge_error(int error, const struct addr *addr, struct probe_result *result)
{
    if (error == ECONNREFUSED)
        return probe_failed(result, "connection refused (ICMP port unreachable)");
    return probe_errno(result, error, addr);
}

static enum probe_outcome judge_reply(const uint8_t *data, size_t bytes, const char *text, const struct addr *addr, struct probe_result *result)
{
    char got[80];
    struct expect expect;

    if (!text)
        return probe_passed(result);
    if (expect_init(&expect, text) < 0)
        return probe_errno(result, ENOMEM, addr);
    enum expect_verdict verdict = expect_match(&expect, data, bytes);
    expect_deinit(&expect);
    if (verdict == EXPECT_NO_MEMORY)
        return probe_errno(result, ENOMEM, addr);
    if (verdict == EXPECT_MATCH)
        return probe_passed(result);
    return probe_failed(result, "reply does not match check_expect: got %s",
                        bytes == 0 ? "an empty datagram" : payload_format(data, bytes, payload_is_hex(text), got, sizeof(got)));
}

/* Returns 0 or a positive errno. */
static int send_payload(int fd, const char *text)
{
    struct payload payload = {.count = 1};

    if (text && payload_parse(&payload, text, false))
        assert(!"the configuration accepted a check_send that is not valid");
    return send(fd, payload.bytes, payload.count, 0) < 0 ? errno : 0;
}

static enum probe_outcome udp_start(struct prober *prober, const struct probe_request *request, struct probe **out,
                                    struct probe_result *result)
{
    struct probe *probe = NULL;
    int error, fd = probe_socket_open_udp(request->addr);

    if (fd < 0)
        return judge_error(errno, request->addr, result);
    if (probe_socket_is_own_peer(fd)) {
        close(fd);
        return probe_failed(result, "connection refused (the port is not in use)");
    }
    probe = malloc(sizeof(*probe));
    error = ENOMEM;
    if (!probe)
        goto fail;
    *probe = (struct probe){.request = *request, .fd = fd};
    error = send_payload(fd, request->settings->check_send);
    if (error > 0)
        goto fail;
    error = prober_watch(prober, fd, EPOLLIN, probe);
    if (error > 0)
        goto fail;
    *out = probe;
    return PROBE_PENDING;
fail:
    close(fd);
    free(probe);
    return judge_error(error, request->addr, result);
}

static void udp_abandon(struct prober *prober, struct probe *probe)
{
    assert(prober->probes > 0);
    prober->probes--;
    close(probe->fd); /* also removes it from the epoll set, because there is no other descriptor for this socket */
    free(probe);
}

static void udp_expire(struct prober *prober, struct probe *probe, struct probe_result *result)
{
    const struct pool_settings *settings = probe->request.settings;
    char text[DURATION_TEXT_BYTES];

    if (probe_needs_reply(settings))
        probe_timed_out(result, "no reply within %s", duration_format(settings->check_timeout_ms, text, sizeof(text)));
    else
        probe_passed(result);
    udp_abandon(prober, probe);
}

static void take_event(struct prober *prober, struct probe *probe)
{
    uint8_t data[EXPECT_BYTES_MAX + 1]; /* a longer reply is cut off; expect_match() needs one byte more */
    struct probe_result result;
    void *cookie = probe->request.cookie;
    ssize_t bytes = recv(probe->fd, data, sizeof(data) - 1, 0);

    if (bytes < 0 && errno == EAGAIN)
        return; /* the kernel dropped a datagram with a wrong checksum */
    data[bytes < 0 ? 0 : bytes] = '\0';
    if (bytes < 0)
        judge_error(errno, probe->request.addr, &result);
    else
        judge_reply(data, (size_t)bytes, probe->request.settings->check_expect, probe->request.addr, &result);
    udp_abandon(prober, probe);
    prober->done(cookie, &result);
}

/* The probe of an event always exists when the event is handled: each probe has one descriptor and therefore one event, and done abandons no probe. */
static void udp_process(struct prober *prober)
{
    struct epoll_event events[HEALTH_PROBES_MAX];
    int count = epoll_wait(prober->fd, events, HEALTH_PROBES_MAX, 0);

    for (int i = 0; i < count; i++)
        take_event(prober, events[i].data.ptr);
}

const struct probe_ops probe_udp_ops = {
    .name = "udp",
    .open = udp_open,
    .close = prober_close,
    .start = udp_start,
    .abandon = udp_abandon,
    .expire = udp_expire,
    .process = udp_process,
};
