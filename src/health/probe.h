/* health/probe.h: one probe of one backend, by kind.
 *
 * A prober runs the probes of one kind, without blocking. Its thread waits until the prober's descriptor is readable
 * or its wake time has come and then calls process(). Time limits are the caller's: it ends what takes too
 * long with expire().
 * Health thread only. */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "config/settings.h"

/* Longest reason, with its ending zero. */
#define PROBE_REASON_BYTES 160

/* Most bytes of an HTTP body that are read. */
#define PROBE_BODY_BYTES_MAX 65536

enum probe_outcome {
    PROBE_PENDING, /* start() only: the result comes later */
    PROBE_PASSED,
    PROBE_FAILED,
    PROBE_NO_MEANS /* this machine lacks descriptors, memory or ports: says nothing about the backend */
};

struct probe_result {
    enum probe_outcome outcome;
    char reason[PROBE_REASON_BYTES]; /* for an operator: "connection refused"; empty when passed */
};

struct backend;
struct prober;
struct probe; /* each kind has its own, in its own file */

/* Called by process() once per started probe that was not abandoned and did not expire; the probe is gone by then. May start
 * probes, may not end any. */
typedef void probe_done_fn(void *cookie, const struct probe_result *result);

struct probe_request {
    const struct pool_settings *settings; /* borrowed until the probe is over */
    const struct addr *addr;        /* where to; borrowed until the probe is over */
    void *cookie;                   /* for the done function */
};

struct probe_ops {
    const char *name;
    /* A prober without probes, or NULL with `*error` set to a negative errno. */
    struct prober *(*open)(probe_done_fn *done, int *error);
    /* Asserts that no probe is left. NULL is allowed. */
    void (*close)(struct prober *prober);
    /* Begins a probe. PROBE_PENDING: `*probe` is set, and done, abandon() or expire() ends it. Otherwise it is over: `result`
     * tells. */
    enum probe_outcome (*start)(struct prober *prober, const struct probe_request *request, struct probe **probe,
                                struct probe_result *result);
    /* Ends a probe without a result. */
    void (*abandon)(struct prober *prober, struct probe *probe);
    /* Ends a probe whose time is up and fills `result`. What has arrived may be enough to pass. */
    void (*expire)(struct prober *prober, struct probe *probe, struct probe_result *result);
    /* Handles everything that has happened so far: a probe that expires after this call has really had no more
     * than that. */
    void (*process)(struct prober *prober);
};

/* What all kinds have; a kind that needs more embeds it first. */
struct prober {
    const struct probe_ops *ops;
    probe_done_fn *done;
    int fd;           /* an epoll descriptor: readable when process() has something to do */
    uint64_t wake_ns; /* CLOCK_MONOTONIC: call process() then at the latest; UINT64_MAX: no such time */
    size_t probes;    /* under way */
};

extern const struct probe_ops probe_tcp_ops;
extern const struct probe_ops probe_http_ops;

/* Where to probe a backend: check_address or the backend's own, with the first of its check_port, the pool's and its
 * own port. A UNIX address has no port to change. */
void probe_address(struct addr *out, const struct pool_settings *settings, const struct backend *backend);

/* The result of a system call that failed with `error` (positive errno) on the way to `addr`. Fills `result` and
 * returns its outcome. */
enum probe_outcome probe_errno(struct probe_result *result, int error, const struct addr *addr);

/* Fills `result` with a formatted reason and returns PROBE_FAILED. */
enum probe_outcome probe_failed(struct probe_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
