/* health/probe.h: the interface of the kinds of probes. Health thread only.
 *
 * A prober runs the probes of one kind, without blocking. The caller waits until the prober's descriptor is readable or its wake time has come, and then calls
 * process(). The caller enforces time limits: it ends a probe that takes too long with expire(). */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "config/settings.h"
#include "health/agent_report.h"

/* Size of the longest reason, including the terminating zero. */
#define PROBE_REASON_BYTES 160

/* Maximum number of bytes of an HTTP body that are read. */
#define PROBE_BODY_BYTES_MAX 65536

/* How long a UDP probe that needs no reply waits for an error, at most. */
#define PROBE_SILENCE_MS 1000

enum probe_outcome {
    PROBE_PENDING, /* only from start(): the result comes later */
    PROBE_PASSED,
    PROBE_FAILED,    /* refused, reset, or the wrong answer */
    PROBE_TIMED_OUT, /* the answer, or a part of it, has not come in time; nothing that has come is wrong. The backend may only be busy. */
    PROBE_NO_MEANS /* this machine lacks descriptors, memory or ports, which says nothing about the backend */
};

struct probe_result {
    enum probe_outcome outcome;
    struct agent_report report;      /* what an agent says; only of probe_agent_ops, if the probe passed */
    char reason[PROBE_REASON_BYTES]; /* for an operator, such as "connection refused"; empty if the probe passed */
};

struct backend;
struct prober;
struct probe; /* each kind defines its own in its source */

/* Called by process() once for each probe that was neither abandoned nor expired. The probe no longer exists then. The function may start probes but must
 * not end any. */
typedef void probe_done_fn(void *cookie, const struct probe_result *result);

struct probe_request {
    const struct pool_settings *settings; /* borrowed until the probe has ended */
    const struct backend *backend;  /* backend to probe; only check = exec needs it, for its name; borrowed until start() has returned */
    const struct addr *addr;        /* address to probe; borrowed until the probe has ended */
    void *cookie;                   /* passed to the done function */
};

struct probe_ops {
    const char *name;
    /* Returns a prober without probes, or NULL after setting `*error` to a negative errno. */
    struct prober *(*open)(probe_done_fn *done, int *error);
    /* Asserts that no probe is left. Accepts NULL. */
    void (*close)(struct prober *prober);
    /* Begins a probe. If it returns PROBE_PENDING, `*probe` is set, and the probe ends with done, abandon() or expire(). Otherwise the probe has ended and
     * `result` is filled. */
    enum probe_outcome (*start)(struct prober *prober, const struct probe_request *request, struct probe **probe,
                                struct probe_result *result);
    /* Ends a probe without a result. */
    void (*abandon)(struct prober *prober, struct probe *probe);
    /* Ends a probe whose time is over and fills `result`. The probe passes if enough has arrived, fails if what has arrived is wrong, and otherwise has timed
     * out. */
    void (*expire)(struct prober *prober, struct probe *probe, struct probe_result *result);
    /* Handles all events so far, so that a probe that expires after this call has received nothing more. */
    void (*process)(struct prober *prober);
};

/* Common part of all kinds. A kind that needs more embeds it as its first member. */
struct prober {
    const struct probe_ops *ops;
    probe_done_fn *done;
    int fd;           /* an epoll descriptor; readable when process() has work */
    uint64_t wake_ns; /* CLOCK_MONOTONIC: latest time for the next process(); UINT64_MAX: none */
    size_t probes;    /* number of probes in flight */
    size_t places;    /* maximum number of probes in flight over all kinds, set by the caller; 0: unknown */
};

extern const struct probe_ops probe_tcp_ops;
extern const struct probe_ops probe_http_ops;
extern const struct probe_ops probe_grpc_ops;
extern const struct probe_ops probe_udp_ops;
extern const struct probe_ops probe_exec_ops;
extern const struct probe_ops probe_agent_ops;

/* Opens and closes the common part of a prober of which each probe waits for one descriptor. Returns 0, or a negative
 * errno; then there is nothing to close. */
int prober_init(struct prober *prober, const struct probe_ops *ops, probe_done_fn *done);
void prober_deinit(struct prober *prober);

/* `open` and `close` for such kinds that have only the common part. */
struct prober *prober_open(const struct probe_ops *ops, probe_done_fn *done, int *error);
void prober_close(struct prober *prober);

/* Makes the prober's descriptor readable when `fd` has one of these events (EPOLLIN, EPOLLOUT) or an error, and counts the probe as in flight.
 * Returns 0, or a positive errno; then nothing has changed. */
int prober_watch(struct prober *prober, int fd, uint32_t events, struct probe *probe);

/* Sets `out` to the address at which a backend is probed: check_address or the backend's own address, with the first that is set of the backend's
 * check_port, the pool's check_port and the backend's own port. A UNIX address has no port. */
void probe_address(struct addr *out, const struct pool_settings *settings, const struct backend *backend);

/* Whether a TCP or UDP probe needs an answer to pass: check_send or check_expect is set. */
bool probe_needs_reply(const struct pool_settings *settings);

/* Returns the time limit of a probe: check_timeout, but at most PROBE_SILENCE_MS for a UDP probe that needs no reply, because it always takes that long. */
uint32_t probe_limit_ms(const struct pool_settings *settings);

/* Fills `result` for a system call that failed with `error` (a positive errno) while probing `addr`, and returns its outcome. */
enum probe_outcome probe_errno(struct probe_result *result, int error, const struct addr *addr);

/* Fills `result` and returns PROBE_PASSED. */
enum probe_outcome probe_passed(struct probe_result *result);

/* Fills `result` with a formatted reason and returns PROBE_FAILED. */
enum probe_outcome probe_failed(struct probe_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills `result` with a formatted reason and returns PROBE_TIMED_OUT. */
enum probe_outcome probe_timed_out(struct probe_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
