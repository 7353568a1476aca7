/* health/probe_tcp.c: TCP and UNIX stream probes: an established connection is a success. Health thread; owns the probes and their descriptors.
 *
 * The connection is closed normally (FIN) and not reset with SO_LINGER 0. An empty connection is normal for a server, while many servers log each
 * "connection reset by peer", or pass a socket that is already dead to a worker. Only a socket that is connected to itself is reset (health/probe_socket.h).
 * The cost is a TIME-WAIT of 60 s on our side for each probe: about 30 for each backend at the default interval, and 600 at the fastest, out of 28000 ports
 * for each backend address. The kernel limits the total (tcp_max_tw_buckets). */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "health/health.h"
#include "health/probe.h"
#include "health/probe_socket.h"

struct probe {
    struct probe_request request;
    int fd;
};

static struct prober *tcp_open(probe_done_fn *done, int *error)
{
    return prober_open(&probe_tcp_ops, done, error);
}

static enum probe_outcome judge_connection(int fd, int error, const struct addr *addr, struct probe_result *result)
{
    if (error == 0 && probe_socket_is_own_peer(fd))
        error = ECONNREFUSED;
    if (error != 0)
        return probe_errno(result, error, addr);
    return probe_passed(result);
}

static enum probe_outcome tcp_start(struct prober *prober, const struct probe_request *request, struct probe **out,
                                    struct probe_result *result)
{
    const struct addr *addr = request->addr;
    struct probe *probe = NULL;
    int error = 0;
    int fd = probe_socket_open(addr_family(addr));

    if (fd < 0)
        return probe_errno(result, errno, addr);
    if (connect(fd, &addr->sa, addr->length) < 0)
        error = errno;
    if (error != EINPROGRESS) {
        judge_connection(fd, error, addr, result);
        probe_socket_close(fd);
        return result->outcome;
    }
    probe = malloc(sizeof(*probe));
    error = ENOMEM;
    if (!probe)
        goto fail;
    *probe = (struct probe){.request = *request, .fd = fd};
    error = prober_watch(prober, fd, EPOLLOUT, probe);
    if (error > 0)
        goto fail;
    *out = probe;
    return PROBE_PENDING;
fail:
    probe_socket_close(fd);
    free(probe);
    return probe_errno(result, error, addr);
}

static void tcp_abandon(struct prober *prober, struct probe *probe)
{
    assert(prober->probes > 0);
    prober->probes--;
    probe_socket_close(probe->fd); /* also removes it from the epoll set, because there is no other descriptor for this socket */
    free(probe);
}

static void tcp_expire(struct prober *prober, struct probe *probe, struct probe_result *result)
{
    probe_timed_out(result, "timed out after %u ms", probe->request.settings->check_timeout_ms);
    tcp_abandon(prober, probe);
}

/* The probe of an event always exists when the event is handled: each probe has one descriptor and therefore one event, and done abandons no probe. */
static void tcp_process(struct prober *prober)
{
    struct epoll_event events[HEALTH_PROBES_MAX];
    int count = epoll_wait(prober->fd, events, HEALTH_PROBES_MAX, 0);

    for (int i = 0; i < count; i++) {
        struct probe *probe = events[i].data.ptr;
        struct probe_result result;
        void *cookie = probe->request.cookie;
        int error = 0;
        socklen_t length = sizeof(error);
        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
            error = errno;
        judge_connection(probe->fd, error, probe->request.addr, &result);
        tcp_abandon(prober, probe);
        prober->done(cookie, &result);
    }
}

const struct probe_ops probe_tcp_ops = {
    .name = "tcp",
    .open = tcp_open,
    .close = prober_close,
    .start = tcp_start,
    .abandon = tcp_abandon,
    .expire = tcp_expire,
    .process = tcp_process,
};
