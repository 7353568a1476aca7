/* probe_fixture.h: runs one probe from start to end, for the tests of probes. */
#ifndef TEST_PROBE_FIXTURE_H
#define TEST_PROBE_FIXTURE_H

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "health/probe.h"
#include "scripted_server.h"

enum { TIMEOUT_MS = 10000, SHORT_MS = 200 };

static const struct pool_settings usual = {
    .check_timeout_ms = 1000, .check_path = "/health", .check_method = "GET",
    .check_status = "200-399",
};

static void on_done(void *cookie, const struct probe_result *result)
{
    struct probe_result *out = cookie;
    assert_int_equal(out->outcome, PROBE_PENDING); /* it is called only once */
    *out = *result;
}

/* Runs one probe and returns its result. After `timeout_ms`, the probe is expired. */
static struct probe_result run(const struct probe_ops *ops, const struct pool_settings *settings, const struct addr *addr,
                               int timeout_ms)
{
    int error;
    struct probe *probe = NULL;
    struct probe_result result = { .outcome = PROBE_PENDING }, at_once;
    struct prober *prober = ops->open(on_done, &error);
    assert_non_null(prober);
    const struct probe_request request = { .settings = settings, .addr = addr, .cookie = &result };
    uint64_t deadline_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;

    if (ops->start(prober, &request, &probe, &at_once) != PROBE_PENDING) {
        result = at_once;
        probe = NULL;
    }
    while (result.outcome == PROBE_PENDING && clock_now_ns() < deadline_ns) {
        uint64_t now_ns = clock_now_ns(), wake_ns = prober->wake_ns < deadline_ns ? prober->wake_ns : deadline_ns;
        struct pollfd poller = { .fd = prober->fd, .events = POLLIN };
        poll(&poller, 1, wake_ns <= now_ns ? 0 : (int)((wake_ns - now_ns) / 1000000) + 1);
        ops->process(prober);
    }
    if (result.outcome == PROBE_PENDING)
        ops->expire(prober, probe, &result);
    assert_int_equal(prober->probes, 0);
    ops->close(prober);
    return result;
}

static inline void assert_passed(struct probe_result result)
{
    assert_string_equal(result.reason, "");
    assert_int_equal(result.outcome, PROBE_PASSED);
}

static void assert_failed(struct probe_result result, const char *reason)
{
    assert_string_equal(result.reason, reason);
    assert_int_equal(result.outcome, PROBE_FAILED);
}

static inline void assert_timed_out(struct probe_result result, const char *reason)
{
    assert_string_equal(result.reason, reason);
    assert_int_equal(result.outcome, PROBE_TIMED_OUT);
}

static inline struct probe_result ask_server(struct server *server, const struct pool_settings *settings, int timeout_ms)
{
    server_start(server);
    struct probe_result result = run(settings->check == CONFIG_CHECK_GRPC ? &probe_grpc_ops : &probe_http_ops, settings, &server->addr, timeout_ms);
    server_stop(server);
    return result;
}

static inline struct probe_result ask(enum part part, const char *answer, const struct pool_settings *settings)
{
    struct server server = { .part = part, .answer = answer };
    return ask_server(&server, settings, TIMEOUT_MS);
}

#endif
