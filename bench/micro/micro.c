/* bench/micro/micro.c: measures the nanoseconds per operation of what a worker does most often: it picks backends, reads the table, sets timers and uses the
 * mailbox. It has one thread. Each figure is the median of several rounds. `micro TEXT` prints only the rows whose title contains TEXT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "config/config.h"
#include "select/selector.h"
#include "table/epoch.h"
#include "table/mailbox.h"
#include "table/table.h"

enum { ROUNDS = 9, OPERATIONS = 20000, TIMERS = 4096 };

static const char *wanted = ""; /* only rows whose title contains this text are run */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Calls `round` ROUNDS times, with `operations` operations each, and prints a line. */
static void report(const char *name, void (*round)(void *context, unsigned operations), void *context, unsigned operations)
{
    double ns[ROUNDS];

    if (!strstr(name, wanted))
        return;
    round(context, operations); /* warms caches */
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = clock_now_ns();

        round(context, operations);
        ns[i] = (double)(clock_now_ns() - began) / operations;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), compare);
    printf("%-44s %9.1f ns  (%.1f to %.1f)\n", name, ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
}

/* ---- selectors and the table ---- */

struct pool_bench {
    struct config *config;
    struct epoch *epoch;
    struct table *table;
    uint64_t random;
};

static int pool_open(struct pool_bench *bench, const char *balance, unsigned backends)
{
    char path[] = "/tmp/penstock-micro-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    struct config_errors *errors = config_errors_new();

    if (!file || !errors)
        return -1;
    fprintf(file, "[listener l]\nbind = 127.0.0.1:1\npool = p\n[pool p]\ncheck = none\nbalance = %s\n", balance);
    for (unsigned i = 0; i < backends; i++)
        fprintf(file, "backend = b%u 127.%u.%u.%u:9 weight=%u\n", i, i >> 16 & 255, i >> 8 & 255, i & 255, 1 + i % 3);
    fclose(file);
    *bench = (struct pool_bench){.config = config_load(path, errors), .epoch = epoch_new(1), .random = 1};
    unlink(path);
    config_errors_free(errors);
    if (bench->config && bench->epoch)
        bench->table = table_new(bench->epoch, &selector_prepare);
    return bench->table && table_apply(bench->table, bench->config, NULL) == 0 ? 0 : -1;
}

static void pool_close(struct pool_bench *bench)
{
    table_free(bench->table);
    epoch_free(bench->epoch);
    config_free(bench->config);
}

static void pick_round(void *context, unsigned operations)
{
    struct pool_bench *bench = context;
    struct addr client;
    struct select_request request = {.client = &client, .random = &bench->random};

    if (addr_parse(&client, "10.0.0.1:1"))
        abort();
    epoch_online(bench->epoch, 0);
    for (unsigned i = 0; i < operations; i++) {
        struct backend *backend;

        client.in.sin_addr.s_addr = i * 2654435761u;
        backend = selector_pick(table_load(bench->table)->pools[0], &request);
        if (!backend)
            abort();
        backend_release(backend);
    }
    epoch_offline(bench->epoch, 0);
}

static void table_round(void *context, unsigned operations)
{
    struct pool_bench *bench = context;
    uint64_t sum = 0;

    for (unsigned i = 0; i < operations; i++) {
        epoch_online(bench->epoch, 0);
        sum += table_load(bench->table)->version;
        epoch_offline(bench->epoch, 0);
    }
    if (sum == 0)
        abort();
}

/* Does what the publisher does when a probe has changed the state of one backend: it records the state, rebuilds the pool, publishes the table, and frees the
 * previous one. */
static void publish_round(void *context, unsigned operations)
{
    struct pool_bench *bench = context;

    for (unsigned i = 0; i < operations; i++) {
        size_t count = table_pool(bench->table, 0)->backend_count;
        struct backend *backend = table_backend(bench->table, 0, (size_t)bench->random++ * 7919 % count);
        bool is_down = backend_state_part(backend_state(backend), BACKEND_PROBE) == BACKEND_PROBE_DOWN;

        table_set_state(bench->table, backend, BACKEND_PROBE, is_down ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN);
        if (table_publish(bench->table) < 0)
            abort();
    }
}

/* Measures a reload of the same file. */
static void apply_round(void *context, unsigned operations)
{
    struct pool_bench *bench = context;

    for (unsigned i = 0; i < operations; i++) {
        if (table_apply(bench->table, bench->config, NULL) < 0)
            abort();
        table_reclaim(bench->table);
    }
}

static int publisher(void)
{
    static const char *const names[] = {"least_conn", "random", "round_robin", "consistent_hash"};
    struct pool_bench bench;

    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        char title[80];

        if (pool_open(&bench, names[n], 10000) < 0)
            return -1;
        snprintf(title, sizeof(title), "publish one change, %s, 10000 backends", names[n]);
        report(title, publish_round, &bench, 20);
        pool_close(&bench);
    }
    if (pool_open(&bench, "least_conn", 10000) < 0)
        return -1;
    report("apply the same configuration, 10000 backends", apply_round, &bench, 20);
    pool_close(&bench);
    return 0;
}

static int selectors(void)
{
    static const char *const names[] = {"round_robin", "least_conn", "random", "consistent_hash"};
    static const unsigned counts[] = {1, 10, 100, 1000, 10000};
    struct pool_bench bench;

    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            char title[80];

            if (pool_open(&bench, names[n], counts[c]) < 0)
                return -1;
            snprintf(title, sizeof(title), "pick and release, %s, %u backends", names[n], counts[c]);
            report(title, pick_round, &bench, counts[c] > 1000 ? OPERATIONS / 20 : OPERATIONS);
            pool_close(&bench);
        }
    }
    if (pool_open(&bench, "consistent_hash", 10000) < 0)
        return -1;
    for (size_t i = 0; i < 10000; i++)
        table_set_state(bench.table, table_backend(bench.table, 0, i), BACKEND_PROBE, i % 10 == 0 ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN);
    if (table_publish(bench.table) < 0)
        return -1;
    report("the same, consistent_hash, 9000 of 10000 down", pick_round, &bench, OPERATIONS / 20);
    pool_close(&bench);
    if (pool_open(&bench, "least_conn", 10) < 0)
        return -1;
    report("table read: online, load, offline", table_round, &bench, OPERATIONS);
    pool_close(&bench);
    return 0;
}

/* ---- timers ---- */

struct wheel_bench {
    struct timer_wheel wheel;
    struct timer timers[TIMERS];
};

static void ignore(struct timer *timer)
{
    (void)timer;
}

static void rearm_round(void *context, unsigned operations)
{
    struct wheel_bench *bench = context;

    for (unsigned i = 0; i < operations; i++)
        timer_arm(&bench->wheel, &bench->timers[i % TIMERS], bench->wheel.now_ms + 1 + i * 7919 % 100000);
}

static void advance_round(void *context, unsigned operations)
{
    struct wheel_bench *bench = context;

    for (unsigned i = 0; i < operations; i++) {
        if (!bench->timers[i % TIMERS].armed)
            timer_arm(&bench->wheel, &bench->timers[i % TIMERS], bench->wheel.now_ms + 1 + i * 7919 % 5000);
        timer_wheel_advance(&bench->wheel, bench->wheel.now_ms + 1);
    }
}

static int timers(void)
{
    struct wheel_bench *bench = malloc(sizeof(*bench));

    if (!bench)
        return -1;
    timer_wheel_init(&bench->wheel, 1000);
    for (int i = 0; i < TIMERS; i++)
        timer_init(&bench->timers[i], ignore);
    report("timer: arm again, of 4,096", rearm_round, bench, OPERATIONS);
    report("timer wheel: one millisecond, fire and arm", advance_round, bench, OPERATIONS);
    free(bench);
    return 0;
}

/* ---- mailbox ---- */

enum { MESSAGE_BYTES = 128 }; /* size of the message that hands a client over to another worker */

static void post_round(void *context, unsigned operations)
{
    unsigned char message[MESSAGE_BYTES] = {0};

    for (unsigned i = 0; i < operations; i++) {
        if (!mailbox_post(context, message) || !mailbox_take(context, message))
            abort();
    }
}

static void order_round(void *context, unsigned operations)
{
    for (unsigned i = 0; i < operations; i++) {
        mailbox_order(context, 1);
        if (mailbox_take_orders(context) != 1)
            abort();
    }
}

static int mailbox(void)
{
    struct mailbox_options options = {.capacity = 1024, .message_bytes = MESSAGE_BYTES};
    struct mailbox mailbox;

    if (mailbox_init(&mailbox, &options) < 0)
        return -1;
    report("mailbox: post (with its eventfd) and take", post_round, &mailbox, OPERATIONS);
    report("mailbox: order (with its eventfd) and take", order_round, &mailbox, OPERATIONS);
    mailbox_deinit(&mailbox);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        wanted = argv[1];
    if (selectors() < 0 || publisher() < 0 || timers() < 0 || mailbox() < 0) {
        fputs("out of memory or descriptors\n", stderr);
        return 1;
    }
    return 0;
}
