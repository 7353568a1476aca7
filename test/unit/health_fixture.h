/* test/unit/health_fixture.h: one pool, its table and the running health thread, for tests of the health thread. Test thread only. */
#ifndef TEST_UNIT_HEALTH_FIXTURE_H
#define TEST_UNIT_HEALTH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "health/health.h"
#include "health/probe.h"
#include "log/log.h"
#include "table/epoch.h"
#include "table/table.h"

enum { DEADLINE_MS = 30000, BACKENDS_MAX = 10000 };

/* One pool, its table, the running health thread, and this thread as the only reader of the table. */
static struct config_backend backends[BACKENDS_MAX];
static char names[BACKENDS_MAX][12];
static struct config_pool pool;
static struct config config;
static struct epoch *epoch;
static struct table *table;
static struct health *health;
static char log_path[64];

static inline int listen_on(struct addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (addr->length == 0) {
        addr->length = sizeof addr->in;
        addr->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    }
    assert_int_equal(bind(fd, &addr->sa, addr->length), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &addr->length), 0);
    assert_int_equal(listen(fd, 4096), 0);
    return fd;
}

/* Sets the addresses to different loopback addresses with the same port, where nobody else listens. Returns a listener for all of them. */
static inline int listen_on_all(struct addr *addrs, size_t count)
{
    struct addr any = { .length = sizeof any.in };
    any.in = (struct sockaddr_in){ .sin_family = AF_INET };
    int fd = listen_on(&any);
    for (size_t i = 0; i < count; i++) {
        addrs[i] = any;
        addrs[i].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
    }
    return fd;
}

static inline struct addr closed_port(void)
{
    struct addr addr = { 0 };
    close(listen_on(&addr));
    return addr;
}

/* Sets up a pool with short check intervals. The caller changes what its test needs and then calls start(). */
static inline void prepare(enum config_check check, const struct addr *addrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "b%u", (unsigned)i);
        backends[i] = (struct config_backend){ .name = names[i], .addr = addrs[i], .settings.weight = 1 };
    }
    pool = (struct config_pool){
        .name = "p", .backends = backends, .backend_count = count, .settings.hash_table_size = 101,
        .settings.check = check, .settings.check_interval_ms = 50, .settings.check_fast_interval_ms = 20, .settings.check_down_interval_ms = 30,
        .settings.check_timeout_ms = 1000, .settings.rise = 2, .settings.fall = 3, .settings.check_jitter_percent = 10, .settings.check_initial_up = true,
        .settings.check_path = "/", .settings.check_method = "GET", .settings.check_status = "200-399",
    };
    config = (struct config){ .pools = &pool, .pool_count = 1, .probes_max = 256 };
}

static inline void start(void)
{
    const char *failed;
    struct log_options options = { .target = log_path, .level = LOG_INFO };
    int error;

    snprintf(log_path, sizeof log_path, "/tmp/penstock-test-health-XXXXXX");
    int fd = mkstemp(log_path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(log_start(&options, &failed), 0);
    epoch = epoch_new(1);
    assert_non_null(epoch);
    table = table_new(epoch, NULL);
    assert_non_null(table);
    assert_int_equal(table_apply(table, &config, NULL), 0);
    health = health_start(table, NULL, config.probes_max, &error);
    assert_non_null(health);
}

/* Stops the thread and frees everything. Returns the text of the log, which the caller frees. */
static char *stop(void)
{
    health_stop(health);
    table_free(table);
    epoch_free(epoch);
    log_stop();
    char *text = calloc(1, 1 << 22);
    FILE *stream = fopen(log_path, "r");
    assert_non_null(text);
    assert_non_null(stream);
    size_t length = fread(text, 1, (1 << 22) - 1, stream);
    text[length] = '\0';
    fclose(stream);
    unlink(log_path);
    return text;
}


static inline uint32_t usable(uint64_t *version)
{
    epoch_online(epoch, 0);
    const struct snapshot *snapshot = table_load(table);
    uint32_t count = snapshot->pools[0]->usable_count;
    if (version != NULL)
        *version = snapshot->version;
    epoch_offline(epoch, 0);
    return count;
}

static inline bool await_usable(uint32_t count)
{
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);

    while (usable(NULL) != count) {
        if (clock_now_ns() > deadline_ns)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}

/* Accepts all that wait. Each gets a byte, because a connection that is closed without one would fail its probe. */
static inline unsigned drain(int listener)
{
    unsigned count = 0;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        count++;
        (void)!send(fd, "", 1, MSG_NOSIGNAL);
        close(fd);
    }
    return count;
}

/* Accepts until `count` probes have arrived, so that later assertions are about a time in which probes were made. Returns false after the deadline. */
static inline bool await_probes(int listener, unsigned count)
{
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    unsigned seen = 0;

    fcntl(listener, F_SETFL, O_NONBLOCK);
    while (seen < count && clock_now_ns() < deadline_ns) {
        struct pollfd poller = { .fd = listener, .events = POLLIN };
        poll(&poller, 1, 50);
        seen += drain(listener);
    }
    return seen >= count;
}

#endif
