/* table/report.c: copies the live objects and the workers' counts into a report. Publisher; the report owns its memory. */
#include "table/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "config/settings.h"
#include "log/log.h"
#include "table/counters.h"
#include "table/objects.h"

enum { BLOCK_BYTES = 64 * 1024, ALIGNMENT = 16 };

/* Memory of a report, which is freed as a whole. */
struct block {
    struct block *next;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

/* A report that is being taken. */
struct taking {
    struct report report; /* first: what the admin thread sees */
    struct block *blocks; /* the first one has `left_bytes` at `left` */
    unsigned char *left;
    size_t left_bytes;
};

/* ---- memory ---- */

/* Returns zeroed memory of the report. NULL: out of memory. */
static void *take_memory(struct taking *taking, size_t bytes)
{
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory;

    if (rounded > taking->left_bytes) {
        size_t block_bytes = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        struct block *block = calloc(1, sizeof(*block) + block_bytes);

        if (!block)
            return NULL;
        block->next = taking->blocks;
        taking->blocks = block;
        taking->left = block->bytes;
        taking->left_bytes = block_bytes;
    }
    memory = taking->left;
    taking->left += rounded;
    taking->left_bytes -= rounded;
    return memory;
}

/* NULL: out of memory. */
static const char *copy_text(struct taking *taking, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = take_memory(taking, bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

static const char *copy_word(struct taking *taking, const char *key, unsigned value)
{
    char word[32];

    return copy_text(taking, config_setting_word(key, value, word, sizeof(word)));
}

void report_free(struct report *report)
{
    struct taking *taking = (struct taking *)report;

    if (!taking)
        return;
    for (struct block *block = taking->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(taking);
}

/* ---- states ---- */

static const char *const state_words[] = {
    [REPORT_UP] = "up",
    [REPORT_UNCHECKED] = "unchecked",
    [REPORT_BUSY] = "busy",
    [REPORT_DRAIN] = "drain",
    [REPORT_MAINT] = "maint",
    [REPORT_LEAVING] = "leaving",
    [REPORT_EJECTED] = "ejected",
    [REPORT_TIMED_OUT] = "timed-out",
    [REPORT_DOWN] = "down",
};
_Static_assert(sizeof(state_words) / sizeof(state_words[0]) == REPORT_STATES, "every state has a word");

const char *report_state_word(enum report_state state)
{
    return state_words[state];
}

/* Follows the order of the table in table/backend_state.h. */
enum report_state report_state_of(uint32_t state, bool leaving)
{
    unsigned admin = backend_state_part(state, BACKEND_ADMIN), agent = backend_state_part(state, BACKEND_AGENT);
    unsigned probe = backend_state_part(state, BACKEND_PROBE);

    if (leaving)
        return REPORT_LEAVING;
    if (admin == BACKEND_ADMIN_MAINTENANCE || agent == BACKEND_AGENT_MAINTENANCE)
        return REPORT_MAINT;
    if (admin == BACKEND_ADMIN_DRAIN || agent == BACKEND_AGENT_DRAIN || backend_state_part(state, BACKEND_WEIGHT) == BACKEND_WEIGHT_ZERO)
        return REPORT_DRAIN;
    if (agent == BACKEND_AGENT_DOWN || probe == BACKEND_PROBE_DOWN)
        return REPORT_DOWN;
    if (probe == BACKEND_PROBE_TIMED_OUT)
        return REPORT_TIMED_OUT;
    if (backend_state_part(state, BACKEND_EJECTION) == BACKEND_EJECTED)
        return REPORT_EJECTED;
    return probe == BACKEND_PROBE_BUSY ? REPORT_BUSY : probe == BACKEND_PROBE_UP ? REPORT_UP : REPORT_UNCHECKED;
}

/* ---- the parts ---- */

/* Why it has its state; "": nothing has happened to it. */
static const char *backend_reason(const struct backend *backend)
{
    uint32_t state = backend_state(backend);
    unsigned admin = backend_state_part(state, BACKEND_ADMIN), agent = backend_state_part(state, BACKEND_AGENT);
    const char *reason = NULL;

    switch (report_state_of(state, backend->leaving)) {
    case REPORT_LEAVING:
        return "it has left the configuration";
    case REPORT_MAINT:
        reason = admin == BACKEND_ADMIN_MAINTENANCE ? "ordered by the administrator" : backend->reasons[BACKEND_REASON_AGENT];
        break;
    case REPORT_DRAIN:
        reason = admin == BACKEND_ADMIN_DRAIN ? "ordered by the administrator" : backend->reasons[BACKEND_REASON_AGENT];
        break;
    case REPORT_DOWN:
        reason = backend->reasons[agent == BACKEND_AGENT_DOWN ? BACKEND_REASON_AGENT : BACKEND_REASON_PROBE];
        break;
    case REPORT_TIMED_OUT:
    case REPORT_BUSY:
        reason = backend->reasons[BACKEND_REASON_PROBE];
        break;
    case REPORT_EJECTED:
        reason = backend->reasons[BACKEND_REASON_EJECTION];
        break;
    case REPORT_UP:
    case REPORT_UNCHECKED:
    case REPORT_STATES:
        break;
    }
    return reason ? reason : "";
}

static int take_backend(struct taking *taking, struct report_backend *row, const struct backend *backend)
{
    const struct backend_settings *settings = backend_settings(backend);
    uint64_t now_ns = taking->report.taken_ns;
    char addr[ADDR_TEXT_BYTES];

    *row = (struct report_backend){
        .name = copy_text(taking, backend->name),
        .addr_text = copy_text(taking, addr_format(&backend->addr, addr, sizeof(addr))),
        .id = backend->id,
        .state_now = report_state_of(backend_state(backend), backend->leaving),
        .reason = copy_text(taking, backend_reason(backend)),
        .since_ns = backend->state_since_ns ? backend->state_since_ns : now_ns,
        .backup = settings->backup,
        .serves = !backend->leaving && backend_serves(backend),
        .is_full = backend_full(backend),
        .slow_starts = backend->ramp_share < CAPACITY_WHOLE,
        .weight = settings->weight,
        .share_percent = capacity_weight(backend) / settings->weight,
        .limit = settings->max_connections,
        .limit_now = capacity_limit(backend),
        .slots = backend_in_flight(backend),
        .heard_ns = backend_heard_ns(backend),
        .probe_us = backend->probe_us,
    };
    backend_report(backend, &row->traffic, &row->events);
    return row->name && row->addr_text && row->reason ? 0 : -ENOMEM;
}

static size_t count_links(const struct list *head)
{
    size_t count = 0;

    for (const struct list *link = head->next; link != head; link = link->next)
        count++;
    return count;
}

static int take_backends(struct taking *taking, struct report_pool *row, const struct pool *pool)
{
    int error = 0;

    row->backends = take_memory(taking, count_links(&pool->all_backends) * sizeof(row->backends[0]));
    if (!row->backends)
        return -ENOMEM;
    for (size_t i = 0; i < pool->backend_count && error == 0; i++)
        error = take_backend(taking, &row->backends[row->backend_count++], pool->backends[i]);
    for (struct list *link = pool->all_backends.next; link != &pool->all_backends && error == 0; link = link->next) {
        const struct backend *backend = container_of(link, struct backend, link);

        if (backend->leaving)
            error = take_backend(taking, &row->backends[row->backend_count++], backend);
    }
    return error;
}

static const char *service_word(enum service_rule rule)
{
    static const char *const words[] = {
        [SERVICE_PRIMARIES] = "primaries", [SERVICE_BACKUPS] = "backups", [SERVICE_PANIC] = "panic",
        [SERVICE_TIMED_OUT] = "timed-out", [SERVICE_FAIL_OPEN] = "fail-open", [SERVICE_NONE] = "none",
    };

    return words[rule];
}

static int take_pool(struct taking *taking, const struct pool *pool)
{
    struct report_pool *row = &taking->report.pools[taking->report.pool_count++];
    const struct pool_settings *settings = pool_settings(pool);

    *row = (struct report_pool){
        .name = copy_text(taking, pool->name),
        .balance = copy_word(taking, "balance", settings->balance),
        .check = copy_word(taking, "check", settings->check),
        .gone = pool->gone,
        .gone_events = pool->gone_events,
        .service = service_word(pool->service.rule),
        .leaving = pool->leaving,
        .sessions = pool_sessions(pool),
        .usable = (uint32_t)pool->usable,
    };
    return row->name && row->balance && row->check ? take_backends(taking, row, pool) : -ENOMEM;
}

static int take_pools(struct taking *taking, const struct table *table)
{
    int error = 0;

    taking->report.pools = take_memory(taking, count_links(&table->all_pools) * sizeof(taking->report.pools[0]));
    if (!taking->report.pools)
        return -ENOMEM;
    for (size_t i = 0; i < table->pool_count && error == 0; i++)
        error = take_pool(taking, table->pools[i]);
    for (struct list *link = table->all_pools.next; link != &table->all_pools && error == 0; link = link->next) {
        const struct pool *pool = container_of(link, struct pool, link);

        if (pool->leaving)
            error = take_pool(taking, pool);
    }
    return error;
}

static int take_listener(struct taking *taking, const struct listener *listener)
{
    struct report_listener *row = &taking->report.listeners[taking->report.listener_count++];
    const struct listener_settings *settings = listener_settings(listener);

    *row = (struct report_listener){
        .name = copy_text(taking, listener->name),
        .pool = copy_text(taking, listener_pool(listener)->name),
        .protocol = copy_word(taking, "protocol", settings->protocol),
        .leaving = listener->leaving,
        .sessions = limit_used(&listener->connections),
        .sessions_max = settings->max_connections,
        .flows = limit_used(&listener->flows),
        .flows_max = settings->max_flows,
    };
    stats_report_traffic(&listener->stats.traffic, &row->traffic);
    for (int i = 0; i < REPORT_REFUSALS; i++)
        row->refused[i] = stats_read(&listener->stats.refused[i]);
    for (int i = 0; i < REPORT_ENDS; i++)
        row->ends[i] = stats_read(&listener->stats.ends[i]);
    row->accepted = row->traffic.sessions;
    return row->name && row->pool && row->protocol ? 0 : -ENOMEM;
}

static int take_listeners(struct taking *taking, const struct table *table)
{
    int error = 0;

    taking->report.listeners = take_memory(taking, count_links(&table->all_listeners) * sizeof(taking->report.listeners[0]));
    if (!taking->report.listeners)
        return -ENOMEM;
    for (size_t i = 0; i < table->listener_count && error == 0; i++)
        error = take_listener(taking, table->listeners[i]);
    for (struct list *link = table->all_listeners.next; link != &table->all_listeners && error == 0; link = link->next) {
        const struct listener *listener = container_of(link, struct listener, link);

        if (listener->leaving)
            error = take_listener(taking, listener);
    }
    return error;
}

static int take_workers(struct taking *taking, const struct report_sources *sources)
{
    taking->report.workers = take_memory(taking, sources->workers * sizeof(taking->report.workers[0]));
    if (!taking->report.workers)
        return -ENOMEM;
    for (unsigned i = 0; i < sources->workers; i++)
        counters_report(&sources->counters[i], &taking->report.workers[i]);
    taking->report.worker_count = sources->workers;
    return 0;
}

static void take_log(struct report *report)
{
    _Static_assert(sizeof(report->log_dropped) / sizeof(report->log_dropped[0]) == LOG_DESTINATIONS, "one count for each log");

    for (int i = 0; i < LOG_DESTINATIONS; i++)
        report->log_dropped[i] = log_dropped((enum log_destination)i);
}

static int take_lines(struct taking *taking, const struct history *history)
{
    size_t count = history_count(history);

    taking->report.lines = take_memory(taking, count * sizeof(taking->report.lines[0]));
    if (!taking->report.lines)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct history_line *line = history_line(history, i);
        struct report_line *row = &taking->report.lines[taking->report.line_count++];

        *row = (struct report_line){
            .id = line->id,
            .time = line->time,
            .pool = copy_text(taking, line->pool),
            .backend = copy_text(taking, line->backend),
            .text = copy_text(taking, line->text),
        };
        if (!row->pool || !row->backend || !row->text)
            return -ENOMEM;
    }
    return 0;
}

int report_take(const struct report_sources *sources, struct report **report)
{
    struct taking *taking = calloc(1, sizeof(*taking));
    int error = taking ? 0 : -ENOMEM;

    if (error == 0) {
        taking->report.taken_ns = clock_now_ns();
        (void)clock_gettime(CLOCK_REALTIME, &taking->report.taken);
        error = take_pools(taking, sources->table);
    }
    if (error == 0)
        error = take_listeners(taking, sources->table);
    if (error == 0)
        error = take_lines(taking, &sources->table->history);
    if (error == 0 && sources->counters)
        error = take_workers(taking, sources);
    if (error < 0) {
        report_free(taking ? &taking->report : NULL);
        return error;
    }
    take_log(&taking->report);
    *report = &taking->report;
    return 0;
}
