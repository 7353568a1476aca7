/* admin/metrics_table.c: the list of all metrics. Constant; any thread. */
#include "admin/metrics_table.h"

/* A field of the subject. Its type says how it is read. */
#define FIELD(subject, field) \
    .offset = offsetof(subject, field), \
    .kind = _Generic(((subject *)0)->field, \
        bool: METRIC_BOOL, uint32_t: METRIC_U32, uint32_t *: METRIC_U32, uint64_t: METRIC_U64, uint64_t *: METRIC_U64, const char *: METRIC_TEXT, \
        struct report_histogram: METRIC_BUCKETS)
#define PROCESS(field) .level = METRICS_PROCESS, .protocol = METRIC_ANY, FIELD(struct metrics_process, field)
#define WORKER(field) .level = METRICS_WORKER, .protocol = METRIC_ANY, FIELD(struct report_worker, field)
#define LISTENER(which, field) .level = METRICS_LISTENER, .protocol = METRIC_##which, FIELD(struct report_listener, field)
#define POOL(which, field) .level = METRICS_POOL, .protocol = METRIC_##which, FIELD(struct metrics_pool, field)
#define BACKEND(which, field) .level = METRICS_BACKEND, .protocol = METRIC_##which, FIELD(struct report_backend, field)

#define GAUGE(text) .type = METRIC_GAUGE, .name = text
#define COUNTER(text) .type = METRIC_COUNTER, .name = text
#define HISTOGRAM(text) .type = METRIC_HISTOGRAM, .decimals = MICROSECONDS, .name = text

/* Decimals of the units of a field. */
#define PERCENT 2
#define MILLISECONDS 3
#define MICROSECONDS 6
#define NANOSECONDS 9

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define DIRECTION .label = "direction", .word = direction_word, .word_count = COUNT_OF(directions)

static const char *const directions[] = {"in", "out"};
static const char *const logs[] = {"log", "access_log"};
static const char *const results[] = {"passed", "failed", "timed_out"};

static const char *direction_word(unsigned i)
{
    return directions[i];
}

static const char *log_word(unsigned i)
{
    return logs[i];
}

static const char *result_word(unsigned i)
{
    return results[i];
}

static const char *state_word(unsigned i)
{
    return report_state_word((enum report_state)i);
}

static const char *refusal_word(unsigned i)
{
    return report_refusal_word((enum report_refusal)i);
}

static const char *end_word(unsigned i)
{
    return report_end_word((enum report_end)i);
}

static uint64_t state_number(const void *subject, unsigned i)
{
    (void)i;
    return (uint64_t)((const struct report_backend *)subject)->state_now + 1;
}

static uint64_t weight_now(const void *subject, unsigned i)
{
    const struct report_backend *backend = subject;
    (void)i;
    return (uint64_t)backend->weight * backend->share_percent;
}

static uint64_t probes_of_result(const void *subject, unsigned i)
{
    const struct report_events *events = &((const struct metrics_pool *)subject)->events;
    return i == 2 ? events->probes_timed_out : i == 1 ? events->probes_failed : events->probes - events->probes_failed - events->probes_timed_out;
}

static uint64_t probes_failed_or_late(const void *subject, unsigned i)
{
    const struct report_events *events = &((const struct report_backend *)subject)->events;
    (void)i;
    return events->probes_failed + events->probes_timed_out;
}

static bool backend_is_limited(const void *subject)
{
    return ((const struct report_backend *)subject)->limit_now > 0;
}

static bool backend_is_probed(const void *subject)
{
    return ((const struct report_backend *)subject)->events.probes > 0;
}

static bool backend_has_probe_time(const void *subject)
{
    return ((const struct report_backend *)subject)->probe_us > 0;
}

/* A reason is of interest while something is wrong, and costs many bytes. */
static bool backend_has_reason(const void *subject)
{
    const struct report_backend *backend = subject;
    return backend->state_now != REPORT_UP && backend->reason[0] != '\0';
}

/* The hash is not known while control does not answer. */
static bool process_has_hash(const void *subject)
{
    return ((const struct metrics_process *)subject)->facts.config_hash[0] != '\0';
}

static bool process_limits_flows(const void *subject)
{
    return ((const struct metrics_process *)subject)->facts.max_flows > 0;
}

static bool listener_limits_sessions(const void *subject)
{
    return ((const struct report_listener *)subject)->sessions_max > 0;
}

static bool listener_limits_flows(const void *subject)
{
    return ((const struct report_listener *)subject)->flows_max > 0;
}

const struct metric metrics_table[] = {
    {PROCESS(facts.version), .label = "version", GAUGE("penstock_build_info"), .help = "The version of Penstock. The value is 1."},
    {PROCESS(facts.engine), .label = "engine", GAUGE("penstock_engine_info"), .help = "The engine that was chosen at start. The value is 1."},
    {PROCESS(facts.config_hash), .applies = process_has_hash, .label = "hash", GAUGE("penstock_config_info"),
     .help = "A hash of the configuration in force, which changes made while running change too. The value is 1."},
    {PROCESS(facts.ready), GAUGE("penstock_ready"), .help = "Whether /readyz says yes: 1, or 0 once Penstock begins to stop."},
    {PROCESS(facts.started_ms), .decimals = MILLISECONDS, GAUGE("process_start_time_seconds"), .help = "When the process started, in seconds since 1970."},
    {PROCESS(facts.cpu_us), .decimals = MICROSECONDS, COUNTER("process_cpu_seconds_total"), .help = "CPU time of all threads, user and system."},
    {PROCESS(facts.resident_bytes), GAUGE("process_resident_memory_bytes"), .help = "Resident memory; 0 if /proc is not mounted."},
    {PROCESS(sessions), GAUGE("penstock_sessions"), .help = "Open TCP sessions."},
    {PROCESS(facts.max_connections), GAUGE("penstock_max_connections"), .help = "Limit of open sessions of the process."},
    {PROCESS(flows), GAUGE("penstock_flows"), .help = "Open UDP flows."},
    {PROCESS(facts.max_flows), .applies = process_limits_flows, GAUGE("penstock_max_flows"), .help = "Limit of open flows of the process."},
    {PROCESS(log_dropped), .label = "log", .word = log_word, .word_count = COUNT_OF(logs), COUNTER("penstock_log_lines_dropped_total"),
     .help = "Lines that were not written because their log did not keep up."},

    {WORKER(sessions), GAUGE("penstock_worker_sessions"), .help = "Open TCP sessions."},
    {WORKER(accepted), COUNTER("penstock_worker_accepted_total"), .help = "TCP clients that this worker accepted."},
    {WORKER(handed_over), COUNTER("penstock_worker_handed_over_total"), .help = "Accepted clients that it handed over to another worker."},
    {WORKER(ended), COUNTER("penstock_worker_sessions_ended_total"), .help = "Sessions that have ended."},
    {WORKER(failed), COUNTER("penstock_worker_sessions_failed_total"), .help = "Sessions that ended without a connected backend."},
    {WORKER(flows), COUNTER("penstock_worker_flows_total"), .help = "UDP flows that were opened."},
    {WORKER(bytes), DIRECTION, COUNTER("penstock_worker_bytes_total"), .help = "Payload bytes from clients (in) and from backends (out)."},
    {WORKER(datagrams), DIRECTION, COUNTER("penstock_worker_datagrams_total"), .help = "Datagrams from clients (in) and from backends (out)."},
    {WORKER(datagrams_lost), COUNTER("penstock_worker_datagrams_dropped_total"), .help = "Datagrams that were dropped, for any reason."},
    {WORKER(cpu_ns), .decimals = NANOSECONDS, COUNTER("penstock_worker_cpu_seconds_total"), .help = "CPU time of the worker's thread."},

    {LISTENER(ANY, pool), .label = "pool", GAUGE("penstock_listener_pool_info"), .help = "The pool of new clients. The value is 1."},
    {LISTENER(TCP, sessions), GAUGE("penstock_listener_sessions"), .help = "Open TCP sessions."},
    {LISTENER(TCP, sessions_max), .applies = listener_limits_sessions, GAUGE("penstock_listener_max_connections"), .help = "Limit of open sessions."},
    {LISTENER(UDP, flows), GAUGE("penstock_listener_flows"), .help = "Open UDP flows."},
    {LISTENER(UDP, flows_max), .applies = listener_limits_flows, GAUGE("penstock_listener_max_flows"), .help = "Limit of open flows."},
    {LISTENER(TCP, accepted), COUNTER("penstock_listener_accepted_total"), .help = "TCP clients that became sessions."},
    {LISTENER(ANY, refused), .label = "reason", .word = refusal_word, .word_count = REPORT_REFUSALS, COUNTER("penstock_listener_refused_total"),
     .help = "Sessions that got no backend, and datagrams that were dropped, by reason."},
    {LISTENER(ANY, ends), .label = "code", .word = end_word, .word_count = REPORT_ENDS, COUNTER("penstock_listener_ended_total"),
     .help = "Sessions and flows that ended, by the code of the access log."},
    {LISTENER(UDP, traffic.flows), COUNTER("penstock_listener_flows_total"), .help = "UDP flows that were opened."},
    {LISTENER(ANY, traffic.bytes), DIRECTION, COUNTER("penstock_listener_bytes_total"), .help = "Payload bytes from clients (in) and from backends (out)."},
    {LISTENER(UDP, traffic.datagrams), DIRECTION, COUNTER("penstock_listener_datagrams_total"), .help = "Datagrams from clients (in) and from backends (out)."},
    {LISTENER(TCP, traffic.session), HISTOGRAM("penstock_listener_session_seconds"), .help = "How long sessions lasted, from accept to end."},

    {POOL(ANY, sessions), GAUGE("penstock_pool_sessions"), .help = "Open sessions and flows."},
    {POOL(ANY, usable), GAUGE("penstock_pool_usable_backends"), .help = "Backends that are usable: up, busy or unchecked, and neither ejected nor drained."},
    {POOL(ANY, serving), GAUGE("penstock_pool_serving_backends"), .help = "Backends that take new sessions: in a panic also some that are not usable."},
    {POOL(ANY, states), .label = "state", .word = state_word, .word_count = REPORT_STATES, GAUGE("penstock_pool_backends"), .help = "Backends in each state."},
    {POOL(ANY, service), .label = "service", GAUGE("penstock_pool_service_info"),
     .help = "Who takes new sessions: primaries, backups, panic, timed-out, fail-open, none. The value is 1."},
    {POOL(TCP, traffic.sessions), COUNTER("penstock_pool_sessions_total"), .help = "Sessions that were connected to a backend."},
    {POOL(TCP, traffic.sessions_failed), COUNTER("penstock_pool_sessions_failed_total"),
     .help = "Sessions that were connected and ended by a fault of their backend."},
    {POOL(UDP, traffic.flows), COUNTER("penstock_pool_flows_total"), .help = "UDP flows that were opened."},
    {POOL(ANY, traffic.bytes), DIRECTION, COUNTER("penstock_pool_bytes_total"), .help = "Payload bytes from clients (in) and from backends (out)."},
    {POOL(UDP, traffic.datagrams), DIRECTION, COUNTER("penstock_pool_datagrams_total"), .help = "Datagrams from clients (in) and from backends (out)."},
    {POOL(TCP, events.connect_failures), COUNTER("penstock_pool_connect_failures_total"), .help = "Attempts to connect that failed."},
    {POOL(TCP, events.retries), COUNTER("penstock_pool_retries_total"),
     .help = "Sessions that tried a backend again, or another one, after one had not taken them."},
    {POOL(TCP, events.replays), COUNTER("penstock_pool_replays_total"), .help = "Sessions that got another backend because theirs died before it answered."},
    {POOL(ANY, events.ejections), COUNTER("penstock_pool_ejections_total"), .help = "Ejections of backends because sessions failed one after another."},
    {POOL(TCP, events.evicted), COUNTER("penstock_pool_evicted_total"), .help = "Sessions that Penstock closed because of the state of their backend."},
    {POOL(ANY, events.probes), .value = probes_of_result, .label = "result", .word = result_word, .word_count = COUNT_OF(results),
     COUNTER("penstock_pool_probes_total"), .help = "Probes that have ended, by result."},
    {POOL(TCP, traffic.connect), HISTOGRAM("penstock_pool_connect_seconds"),
     .help = "Time from accept, or from the failure of the backend before, until connected."},
    {POOL(TCP, traffic.first_byte), HISTOGRAM("penstock_pool_first_byte_seconds"), .help = "Time from connected until the backend's first byte."},
    {POOL(TCP, traffic.session), HISTOGRAM("penstock_pool_session_seconds"), .help = "How long sessions lasted, from accept to end."},

    {BACKEND(ANY, id), .value = state_number, GAUGE("penstock_backend_state"),
     .help = "1 up, 2 unchecked, 3 busy, 4 drain, 5 maint, 6 leaving, 7 ejected, 8 timed-out, 9 down."},
    {BACKEND(ANY, reason), .label = "reason", .applies = backend_has_reason, GAUGE("penstock_backend_reason_info"),
     .help = "Why the backend is not up. The value is 1; there is no series while it is up."},
    {BACKEND(ANY, slots), GAUGE("penstock_backend_sessions"), .help = "Open sessions and flows."},
    {BACKEND(ANY, limit_now), .applies = backend_is_limited, GAUGE("penstock_backend_max_connections"), .help = "Present limit of open sessions."},
    {BACKEND(ANY, weight), .value = weight_now, .decimals = PERCENT, GAUGE("penstock_backend_weight"),
     .help = "Present weight: the configured one, less while it is busy or starts slowly."},
    {BACKEND(TCP, traffic.sessions), COUNTER("penstock_backend_sessions_total"), .help = "Sessions that were connected."},
    {BACKEND(TCP, traffic.sessions_failed), COUNTER("penstock_backend_sessions_failed_total"), .help = "Sessions that were connected and ended by its fault."},
    {BACKEND(UDP, traffic.flows), COUNTER("penstock_backend_flows_total"), .help = "UDP flows that were opened."},
    {BACKEND(ANY, traffic.bytes), DIRECTION, COUNTER("penstock_backend_bytes_total"), .help = "Payload bytes from clients (in) and from the backend (out)."},
    {BACKEND(TCP, events.connect_failures), COUNTER("penstock_backend_connect_failures_total"), .help = "Attempts to connect that failed."},
    {BACKEND(TCP, events.retries), COUNTER("penstock_backend_retries_total"),
     .help = "Sessions that tried again, or another backend, after it had not taken them."},
    {BACKEND(TCP, events.replays), COUNTER("penstock_backend_replays_total"), .help = "Sessions that got another backend because it died before it answered."},
    {BACKEND(ANY, events.ejections), COUNTER("penstock_backend_ejections_total"), .help = "Ejections because sessions failed one after another."},
    {BACKEND(ANY, events.probes), .applies = backend_is_probed, COUNTER("penstock_backend_probes_total"), .help = "Probes that have ended."},
    {BACKEND(ANY, events.probes_failed), .value = probes_failed_or_late, .applies = backend_is_probed, COUNTER("penstock_backend_probes_failed_total"),
     .help = "Probes that failed or timed out."},
    {BACKEND(ANY, probe_us), .applies = backend_has_probe_time, .decimals = MICROSECONDS, GAUGE("penstock_backend_probe_seconds"),
     .help = "Duration of the last probe that passed."},
    {BACKEND(TCP, traffic.connect), HISTOGRAM("penstock_backend_connect_seconds"),
     .help = "Time from accept, or from the failure of the backend before, until connected."},
    {BACKEND(TCP, traffic.first_byte), HISTOGRAM("penstock_backend_first_byte_seconds"), .help = "Time from connected until the first byte."},
    {BACKEND(TCP, traffic.session), HISTOGRAM("penstock_backend_session_seconds"), .help = "How long sessions lasted, from accept to end."},
};

const size_t metrics_table_count = COUNT_OF(metrics_table);

const char *metrics_level_word(enum metrics_level level)
{
    static const char *const words[METRICS_LEVELS] = {"process", "worker", "listener", "pool", "backend"};
    return words[level];
}

const char *metrics_level_labels(enum metrics_level level)
{
    static const char *const labels[METRICS_LEVELS] = {"", "worker", "listener", "pool", "pool,backend"};
    return labels[level];
}

const char *metric_type_word(enum metric_type type)
{
    static const char *const words[METRIC_TYPES] = {"gauge", "counter", "histogram"};
    return words[type];
}
