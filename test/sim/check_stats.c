/* test/sim/check_stats.c: checks what workers have counted at backends and listeners: after the run, it must add up to what the peers have seen. The linker
 * replaces the functions that free a listener and a pool by those below (--wrap in the Makefile), so that their counts are not lost. Test thread; owns
 * nothing. */
#include <stdlib.h>

#include "table/counters.h"
#include "table/report.h"
#include "world.h"

void check_listener_free(struct listener *listener) __asm__("__wrap_listener_free");
void check_pool_free(struct pool *pool) __asm__("__wrap_pool_free");
void real_listener_free(struct listener *listener) __asm__("__real_listener_free");
void real_pool_free(struct pool *pool) __asm__("__real_pool_free");

/* What listeners or backends have counted. */
struct sums {
    struct report_traffic traffic;
    struct report_events events;
    uint64_t ends;
};

static struct sums freed_listeners, freed_backends; /* of the run in progress */

void check_stats_begin(void)
{
    freed_listeners = freed_backends = (struct sums){0};
}

static void add_listener(struct sums *sums, const struct stats_listener *stats)
{
    struct report_traffic traffic;

    stats_report_traffic(&stats->traffic, &traffic);
    report_add_traffic(&sums->traffic, &traffic);
    for (int i = 0; i < REPORT_ENDS; i++)
        sums->ends += stats_read(&stats->ends[i]);
}

void check_listener_free(struct listener *listener)
{
    if (listener)
        add_listener(&freed_listeners, &listener->stats);
    real_listener_free(listener);
}

void check_pool_free(struct pool *pool)
{
    if (pool) {
        report_add_traffic(&freed_backends.traffic, &pool->gone);
        report_add_events(&freed_backends.events, &pool->gone_events);
    }
    real_pool_free(pool);
}

static struct sums sum_listeners(const struct report *report)
{
    struct sums sums = freed_listeners;

    for (size_t i = 0; i < report->listener_count; i++) {
        report_add_traffic(&sums.traffic, &report->listeners[i].traffic);
        for (int end = 0; end < REPORT_ENDS; end++)
            sums.ends += report->listeners[i].ends[end];
    }
    return sums;
}

static struct sums sum_backends(const struct report *report)
{
    struct sums sums = freed_backends;

    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];

        report_add_traffic(&sums.traffic, &pool->gone);
        report_add_events(&sums.events, &pool->gone_events);
        for (size_t b = 0; b < pool->backend_count; b++) {
            report_add_traffic(&sums.traffic, &pool->backends[b].traffic);
            report_add_events(&sums.events, &pool->backends[b].events);
        }
    }
    return sums;
}

static void expect_count(struct world *world, const char *what, uint64_t counted, uint64_t expected)
{
    if (counted != expected)
        world_fail(world, "%s: %llu are counted, and there were %llu", what, (unsigned long long)counted, (unsigned long long)expected);
}

/* Sessions: each has begun once and has ended once, and has had a backend for each time that one was connected. */
static void check_sessions_counted(struct world *world, const struct sums *listeners, const struct sums *backends)
{
    uint64_t flows = 0, unserved = 0;

    for (uint32_t i = 0; i < world->worker_count; i++) {
        flows += counters_read(&world->counters[i].flows);
        unserved += counters_read(&world->counters[i].failed);
    }
    expect_count(world, "sessions of listeners", listeners->traffic.sessions, world->sessions_seen);
    expect_count(world, "sessions without a backend", listeners->traffic.sessions_failed, unserved);
    expect_count(world, "ends", listeners->ends, world->sessions_seen + flows);
    expect_count(world, "durations of listeners", report_histogram_count(&listeners->traffic.session), world->sessions_seen);
    expect_count(world, "flows of listeners", listeners->traffic.flows, flows);
    expect_count(world, "flows of backends", backends->traffic.flows, flows);
    expect_count(world, "sessions of backends", backends->traffic.sessions, world->sessions_seen - unserved + backends->events.replays);
    expect_count(world, "times to connect", report_histogram_count(&backends->traffic.connect), backends->traffic.sessions);
    expect_count(world, "durations of backends", report_histogram_count(&backends->traffic.session), world->sessions_seen - unserved);
    if (backends->traffic.sessions_failed > backends->traffic.sessions)
        world_fail(world, "more sessions of backends failed than began");
}

static void check_bytes_counted(struct world *world, const struct sums *listeners, const struct sums *backends)
{
    for (int i = 0; i < 2; i++) {
        uint64_t bytes = 0, sent = 0, counted = 0;

        for (uint32_t p = 0; p < world->pair_count; p++)
            bytes += world->pairs[p].ended ? world->pairs[p].taken[i] : 0;
        for (uint32_t w = 0; w < world->worker_count; w++) {
            sent += world->udp.tallies[w].bytes[i];
            counted += counters_read(&world->counters[w].bytes[i]);
        }
        expect_count(world, "bytes of workers", counted, bytes + sent);
        expect_count(world, "bytes of backends", backends->traffic.bytes[i], listeners->traffic.bytes[i]);
        expect_count(world, "datagrams of backends", backends->traffic.datagrams[i], listeners->traffic.datagrams[i]);
        if (i == CLIENT || !world->udp.is_on) /* a reply may be lost on its way to the client, and was counted when it came from the backend */
            expect_count(world, "bytes of listeners", listeners->traffic.bytes[i], bytes + sent);
    }
}

void check_stats_end(struct world *world)
{
    const struct report_sources sources = {.table = world->table, .counters = world->counters, .workers = world->worker_count};
    struct report *report;
    struct sums listeners, backends;

    if (report_take(&sources, &report) < 0)
        abort();
    listeners = sum_listeners(report);
    backends = sum_backends(report);
    report_free(report);
    check_sessions_counted(world, &listeners, &backends);
    check_bytes_counted(world, &listeners, &backends);
}
