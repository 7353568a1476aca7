/* admin/api_report.c: a report as JSON. Pure functions; any thread, in practice the admin thread. */
#include "admin/api_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/api_json.h"
#include "table/report.h"

/* How long before the report was taken. */
static uint64_t age_ns(const struct report *report, uint64_t then_ns)
{
    return report->taken_ns > then_ns ? report->taken_ns - then_ns : 0;
}

static json_t *histogram_json(const struct report_histogram *histogram)
{
    uint64_t count = report_histogram_count(histogram);

    return json_pack("{s:o, s:o, s:o, s:o}", "count", api_json_count(count), "sum", api_json_ms(histogram->sum_us),
                     "p50", count > 0 ? api_json_ms(report_histogram_percentile_us(histogram, 50)) : json_null(),
                     "p99", count > 0 ? api_json_ms(report_histogram_percentile_us(histogram, 99)) : json_null());
}

/* What is counted about a backend, or about the backends of a pool that are freed. */
static json_t *counts_json(const struct report_traffic *traffic, const struct report_events *events)
{
    json_t *sessions = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sessions_total", api_json_count(traffic->sessions),
                                 "failed_total", api_json_count(traffic->sessions_failed), "flows_total", api_json_count(traffic->flows),
                                 "bytes_in", api_json_count(traffic->bytes[0]), "bytes_out", api_json_count(traffic->bytes[1]),
                                 "datagrams_in", api_json_count(traffic->datagrams[0]), "datagrams_out", api_json_count(traffic->datagrams[1]));
    json_t *happened = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "connect_failures", api_json_count(events->connect_failures),
                                 "retries", api_json_count(events->retries), "replays", api_json_count(events->replays),
                                 "ejections", api_json_count(events->ejections), "evicted", api_json_count(events->evicted),
                                 "probes", api_json_count(events->probes), "probes_failed", api_json_count(events->probes_failed),
                                 "probes_timed_out", api_json_count(events->probes_timed_out));

    return api_json_merge(sessions, happened);
}

static json_t *backend_json(const struct report *report, const struct report_backend *backend)
{
    json_t *now = json_pack("{s:o, s:o, s:s, s:o, s:o, s:b, s:b, s:b, s:b}", "name", api_json_text(backend->name), "address", api_json_text(backend->addr_text),
                            "state", report_state_word(backend->state_now), "reason", api_json_text_or_null(backend->reason),
                            "since_s", api_json_seconds(age_ns(report, backend->since_ns)), "backup", backend->backup, "serves", backend->serves,
                            "full", backend->is_full, "slow_start", backend->slow_starts);
    json_t *load = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "weight", (json_int_t)backend->weight, "share_percent", (json_int_t)backend->share_percent,
                             "max_connections", (json_int_t)backend->limit, "max_connections_now", (json_int_t)backend->limit_now,
                             "sessions", (json_int_t)backend->slots, "probe_ms", backend->probe_us > 0 ? api_json_ms(backend->probe_us) : json_null(),
                             "heard_s", backend->heard_ns > 0 ? api_json_seconds(age_ns(report, backend->heard_ns)) : json_null());
    json_t *times = json_pack("{s:o, s:o, s:o}", "connect_ms", histogram_json(&backend->traffic.connect),
                              "first_byte_ms", histogram_json(&backend->traffic.first_byte), "session_ms", histogram_json(&backend->traffic.session));

    return api_json_merge(api_json_merge(api_json_merge(now, load), counts_json(&backend->traffic, &backend->events)), times);
}

/* How many backends of the pool are in each state. */
static json_t *states_json(const struct report_pool *pool)
{
    json_int_t counts[REPORT_STATES] = {0};
    json_t *states = json_object();

    for (size_t i = 0; i < pool->backend_count; i++)
        counts[pool->backends[i].state_now]++;
    for (int i = 0; i < REPORT_STATES; i++)
        states = api_json_merge(states, json_pack("{s:I}", report_state_word((enum report_state)i), counts[i]));
    return states;
}

static json_t *pool_json(const struct report *report, const struct report_pool *pool)
{
    json_t *backends = json_array();

    for (size_t i = 0; i < pool->backend_count; i++)
        backends = api_json_append(backends, backend_json(report, &pool->backends[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:o}", "name", pool->name, "balance", pool->balance, "check", pool->check,
                     "service", pool->service, "leaving", pool->leaving, "usable", (json_int_t)pool->usable, "sessions", (json_int_t)pool->sessions,
                     "states", states_json(pool), "backends", backends, "gone", counts_json(&pool->gone, &pool->gone_events));
}

json_t *api_report_pools(const struct report *report, const char *pool)
{
    json_t *pools = json_array();

    for (size_t i = 0; i < report->pool_count; i++)
        if (!pool || strcmp(report->pools[i].name, pool) == 0)
            pools = api_json_append(pools, pool_json(report, &report->pools[i]));
    return json_pack("{s:o}", "pools", pools);
}

static json_t *listener_json(const struct report_listener *listener)
{
    json_t *refused = json_object(), *ends = json_object();

    for (int i = 0; i < REPORT_REFUSALS; i++)
        refused = api_json_merge(refused, json_pack("{s:o}", report_refusal_word((enum report_refusal)i), api_json_count(listener->refused[i])));
    for (int i = 0; i < REPORT_ENDS; i++)
        ends = api_json_merge(ends, json_pack("{s:o}", report_end_word((enum report_end)i), api_json_count(listener->ends[i])));
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", listener->name, "pool", listener->pool,
                     "protocol", listener->protocol, "leaving", listener->leaving, "sessions", (json_int_t)listener->sessions,
                     "sessions_max", (json_int_t)listener->sessions_max, "flows", (json_int_t)listener->flows, "flows_max", (json_int_t)listener->flows_max,
                     "accepted", api_json_count(listener->accepted), "flows_total", api_json_count(listener->traffic.flows), "refused", refused, "ends", ends,
                     "bytes_in", api_json_count(listener->traffic.bytes[0]), "bytes_out", api_json_count(listener->traffic.bytes[1]),
                     "session_ms", histogram_json(&listener->traffic.session));
}

json_t *api_report_listeners(const struct report *report)
{
    json_t *listeners = json_array();

    for (size_t i = 0; i < report->listener_count; i++)
        listeners = api_json_append(listeners, listener_json(&report->listeners[i]));
    return json_pack("{s:o}", "listeners", listeners);
}

static json_t *worker_json(const struct report_worker *worker, size_t index)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "worker", (json_int_t)index,
                     "sessions", (json_int_t)worker->sessions, "accepted", api_json_count(worker->accepted), "handed_over", api_json_count(worker->handed_over),
                     "ended", api_json_count(worker->ended), "failed", api_json_count(worker->failed), "flows_total", api_json_count(worker->flows),
                     "flows_refused", api_json_count(worker->flows_refused), "datagrams_in", api_json_count(worker->datagrams[0]),
                     "datagrams_out", api_json_count(worker->datagrams[1]), "datagrams_lost", api_json_count(worker->datagrams_lost),
                     "bytes_in", api_json_count(worker->bytes[0]), "bytes_out", api_json_count(worker->bytes[1]), "cpu_s", (double)worker->cpu_ns / 1e9);
}

json_t *api_report_workers(const struct report *report)
{
    json_t *workers = json_array();

    for (size_t i = 0; i < report->worker_count; i++)
        workers = api_json_append(workers, worker_json(&report->workers[i], i));
    return json_pack("{s:o}", "workers", workers);
}

json_t *api_report_events(const struct report *report, uint64_t since)
{
    json_t *events = json_array();

    for (size_t i = 0; i < report->line_count; i++) {
        const struct report_line *line = &report->lines[i];

        if (line->id > since)
            events = api_json_append(events, json_pack("{s:o, s:o, s:s, s:o, s:o}", "id", api_json_count(line->id), "time", api_json_time(&line->time),
                                                   "pool", line->pool, "backend", api_json_text_or_null(line->backend), "text", api_json_text(line->text)));
    }
    return json_pack("{s:o}", "events", events);
}

json_t *api_report_status(const struct report *report, const struct api_process *process)
{
    uint64_t sessions = 0, flows = 0;
    char hash[20];

    for (size_t i = 0; i < report->listener_count; i++) {
        sessions += report->listeners[i].sessions;
        flows += report->listeners[i].flows;
    }
    (void)snprintf(hash, sizeof(hash), "%016" PRIx64, process->config_hash);
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:o, s:s, s:s, s:s, s:o, s:I, s:o, s:I, s:o, s:o}", "version", process->version,
                     "pid", (json_int_t)getpid(), "started", api_json_time(&process->started),
                     "uptime_s", api_json_seconds(age_ns(report, process->started_ns)), "engine", api_json_text(process->engine),
                     "workers", (json_int_t)report->worker_count, "config_file", api_json_text(process->config_file), "config_hash", hash,
                     "log_level", process->log_level, "state", process->state, "sessions", api_json_count(sessions),
                     "sessions_max", (json_int_t)process->sessions_max, "flows", api_json_count(flows), "flows_max", (json_int_t)process->flows_max,
                     "log_lines_dropped", api_json_count(report->log_dropped[0]), "access_log_lines_dropped", api_json_count(report->log_dropped[1]));
}
