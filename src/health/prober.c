/* health/prober.c: what probers share that wait for one socket for each probe: the epoll descriptor. Health thread; the prober owns its descriptor. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "health/probe.h"

int prober_init(struct prober *prober, const struct probe_ops *ops, probe_done_fn *done)
{
    *prober = (struct prober){.ops = ops, .done = done, .wake_ns = UINT64_MAX};
    prober->fd = epoll_create1(EPOLL_CLOEXEC);
    return prober->fd < 0 ? -errno : 0;
}

void prober_deinit(struct prober *prober)
{
    assert(prober->probes == 0);
    close(prober->fd);
}

struct prober *prober_open(const struct probe_ops *ops, probe_done_fn *done, int *error)
{
    struct prober *prober = malloc(sizeof(*prober));

    *error = prober ? prober_init(prober, ops, done) : -ENOMEM;
    if (*error == 0)
        return prober;
    free(prober);
    return NULL;
}

void prober_close(struct prober *prober)
{
    if (!prober)
        return;
    prober_deinit(prober);
    free(prober);
}

int prober_watch(struct prober *prober, int fd, uint32_t events, struct probe *probe)
{
    struct epoll_event event = {.events = events, .data.ptr = probe};

    if (epoll_ctl(prober->fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return errno == ENOSPC ? ENOMEM : errno;
    prober->probes++;
    return 0;
}
