/* admin/metrics.c: a report as metrics for Prometheus: every row of the table for every subject of its level. Admin thread; owns nothing between calls. */
#include "admin/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "admin/exposition.h"
#include "admin/metrics_table.h"

/* What the metrics of one level are about, with its labels, which are formatted once for all metrics. */
struct subject {
    const void *object;
    size_t labels_start, labels_length; /* in scrape.labels */
    unsigned protocols;                 /* bits of enum metric_protocol */
};

struct subjects {
    struct subject *list; /* owned */
    size_t count;
};

struct scrape {
    const struct metrics_query *query;
    struct exposition text, labels;
    struct subjects levels[METRICS_LEVELS];
    struct metrics_process process;
    struct metrics_pool *pools; /* owned */
};

void metrics_query_init(struct metrics_query *query)
{
    *query = (struct metrics_query){.level = METRICS_BACKEND};
}

const char *metrics_query_add(struct metrics_query *query, const char *name, const char *value)
{
    if (strcmp(name, "level") == 0) {
        for (enum metrics_level level = 0; level < METRICS_LEVELS; level++)
            if (strcmp(value, metrics_level_word(level)) == 0) {
                query->level = level;
                return NULL;
            }
        return "level is one of process, worker, listener, pool, backend";
    }
    if (strcmp(name, "histograms") == 0) {
        query->backend_histograms = true;
        return strcmp(value, "backend") == 0 ? NULL : "histograms can only be backend";
    }
    if (strcmp(name, "pool") == 0) {
        if (query->pool_count == METRICS_POOLS_MAX)
            return "too many pools are named";
        query->pools[query->pool_count++] = value;
        return NULL;
    }
    return "the arguments are pool, level and histograms";
}

static bool has_pool(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->pool_count; i++)
        if (strcmp(report->pools[i].name, name) == 0)
            return true;
    return false;
}

const char *metrics_unknown_pool(const struct report *report, const struct metrics_query *query)
{
    for (size_t i = 0; i < query->pool_count; i++)
        if (!has_pool(report, query->pools[i]))
            return query->pools[i];
    return NULL;
}

static bool wants_pool(const struct metrics_query *query, const char *name)
{
    for (size_t i = 0; i < query->pool_count; i++)
        if (strcmp(query->pools[i], name) == 0)
            return true;
    return query->pool_count == 0;
}

/* ---- sums ---- */

static void sum_pool(struct metrics_pool *sum, const struct report_pool *pool)
{
    *sum = (struct metrics_pool){.name = pool->name, .service = pool->service, .sessions = pool->sessions, .usable = pool->usable,
                                 .traffic = pool->gone, .events = pool->gone_events};
    for (size_t i = 0; i < pool->backend_count; i++) {
        sum->states[pool->backends[i].state_now]++;
        sum->serving += pool->backends[i].serves;
        report_add_traffic(&sum->traffic, &pool->backends[i].traffic);
        report_add_events(&sum->events, &pool->backends[i].events);
    }
}

static void sum_process(struct metrics_process *sum, const struct report *report, const struct metrics_facts *facts)
{
    *sum = (struct metrics_process){.facts = *facts, .log_dropped = {report->log_dropped[0], report->log_dropped[1]}};
    for (size_t i = 0; i < report->worker_count; i++)
        sum->sessions += report->workers[i].sessions;
    for (size_t i = 0; i < report->listener_count; i++)
        sum->flows += report->listeners[i].flows;
}

/* ---- subjects ---- */

static unsigned listener_protocols(const struct report_listener *listener) /* its word is tcp, udp or tcp+udp */
{
    return (strstr(listener->protocol, "tcp") ? METRIC_TCP : 0u) | (strstr(listener->protocol, "udp") ? METRIC_UDP : 0u);
}

/* The protocols of the listeners that lead to it. If none does, it may be any. */
static unsigned pool_protocols(const struct report *report, const char *name)
{
    unsigned protocols = 0;

    for (size_t i = 0; i < report->listener_count; i++)
        if (strcmp(report->listeners[i].pool, name) == 0)
            protocols |= listener_protocols(&report->listeners[i]);
    return protocols ? protocols : METRIC_ANY;
}

/* The labels of the subject are what was added to scrape->labels since `start`. There is room for it in the list. */
static void add_subject(struct scrape *scrape, enum metrics_level level, const void *object, unsigned protocols, size_t start)
{
    struct subjects *subjects = &scrape->levels[level];
    subjects->list[subjects->count++] = (struct subject){object, start, scrape->labels.length - start, protocols};
}

/* Whether one of the first `count` objects of an array has that name, which is the first member of each. What has left the configuration may share its name
 * with what is in it now. It comes later in the report and is left out, because the series would be there twice; the sums of pools include it. */
static bool has_name(const void *objects, size_t object_bytes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(*(const char *const *)(const void *)((const char *)objects + i * object_bytes), name) == 0)
            return true;
    return false;
}
_Static_assert(offsetof(struct report_listener, name) == 0 && offsetof(struct report_pool, name) == 0 && offsetof(struct report_backend, name) == 0,
               "has_name() finds the names");

static void add_workers(struct scrape *scrape, const struct report *report)
{
    for (size_t i = 0; i < report->worker_count; i++) {
        char number[EXPOSITION_NUMBER_BYTES];
        size_t start = scrape->labels.length;
        (void)exposition_format_number(number, i, 0);
        exposition_add_label(&scrape->labels, start, "worker", number);
        add_subject(scrape, METRICS_WORKER, &report->workers[i], METRIC_ANY, start);
    }
}

static void add_listeners(struct scrape *scrape, const struct report *report)
{
    for (size_t i = 0; i < report->listener_count; i++) {
        const struct report_listener *listener = &report->listeners[i];
        size_t start = scrape->labels.length;
        if (!wants_pool(scrape->query, listener->pool) || (listener->leaving && has_name(report->listeners, sizeof(*listener), i, listener->name)))
            continue;
        exposition_add_label(&scrape->labels, start, "listener", listener->name);
        add_subject(scrape, METRICS_LISTENER, listener, listener_protocols(listener), start);
    }
}

static void add_backends(struct scrape *scrape, const struct report_pool *pool, unsigned protocols)
{
    for (size_t i = 0; i < pool->backend_count; i++) {
        const struct report_backend *backend = &pool->backends[i];
        size_t start = scrape->labels.length;
        if (backend->state_now == REPORT_LEAVING && has_name(pool->backends, sizeof(*backend), i, backend->name))
            continue;
        exposition_add_label(&scrape->labels, start, "pool", pool->name);
        exposition_add_label(&scrape->labels, start, "backend", backend->name);
        add_subject(scrape, METRICS_BACKEND, backend, protocols, start);
    }
}

static void add_pools(struct scrape *scrape, const struct report *report)
{
    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];
        size_t start = scrape->labels.length;
        if (!wants_pool(scrape->query, pool->name) || (pool->leaving && has_name(report->pools, sizeof(*pool), i, pool->name)))
            continue;
        unsigned protocols = pool_protocols(report, pool->name);
        sum_pool(&scrape->pools[i], pool);
        exposition_add_label(&scrape->labels, start, "pool", pool->name);
        add_subject(scrape, METRICS_POOL, &scrape->pools[i], protocols, start);
        add_backends(scrape, pool, protocols);
    }
}

/* Returns false if memory ran out. */
static bool gather_subjects(struct scrape *scrape, const struct report *report)
{
    size_t counts[METRICS_LEVELS] = {1, report->worker_count, report->listener_count, report->pool_count, 0};

    for (size_t i = 0; i < report->pool_count; i++)
        counts[METRICS_BACKEND] += report->pools[i].backend_count;
    for (enum metrics_level level = 0; level < METRICS_LEVELS; level++) {
        scrape->levels[level].list = calloc(counts[level] + 1, sizeof(*scrape->levels[level].list));
        if (!scrape->levels[level].list)
            return false;
    }
    scrape->pools = calloc(report->pool_count + 1, sizeof(*scrape->pools));
    if (!scrape->pools)
        return false;
    add_subject(scrape, METRICS_PROCESS, &scrape->process, METRIC_ANY, 0);
    add_workers(scrape, report);
    add_listeners(scrape, report);
    add_pools(scrape, report);
    return !scrape->labels.failed;
}

/* ---- samples ---- */

static uint64_t read_value(const struct metric *metric, const void *object, unsigned i)
{
    const char *field = (const char *)object + metric->offset;

    if (metric->value)
        return metric->value(object, i);
    switch (metric->kind) {
    case METRIC_BOOL:
        return *(const bool *)(const void *)field;
    case METRIC_U32:
        return ((const uint32_t *)(const void *)field)[i];
    case METRIC_U64:
        return ((const uint64_t *)(const void *)field)[i];
    case METRIC_TEXT:
    case METRIC_BUCKETS:
        break;
    }
    return 1;
}

/* A histogram without buckets is what Prometheus calls a summary without quantiles: its _sum and _count have the same names. */
static bool has_buckets(const struct metrics_query *query, const struct metric *metric)
{
    return metric->level != METRICS_BACKEND || query->backend_histograms;
}

static const char *type_word(const struct metrics_query *query, const struct metric *metric)
{
    return metric->kind == METRIC_BUCKETS && !has_buckets(query, metric) ? "summary" : metric_type_word(metric->type);
}

/* `sample` names the family and the subject. */
static void add_histogram_samples(struct exposition *text, const struct exposition_sample *sample, const struct report_histogram *histogram, bool buckets)
{
    struct exposition_sample line = *sample;
    uint64_t count = 0;

    line.decimals = 0;
    line.suffix = "_bucket";
    line.label_name = "le";
    for (size_t i = 0; i < STATS_BUCKETS; i++) {
        char bound[EXPOSITION_NUMBER_BYTES];
        if (i < STATS_BUCKETS - 1)
            (void)exposition_format_number(bound, stats_bounds_us[i], 6);
        line.label_value = i < STATS_BUCKETS - 1 ? bound : "+Inf";
        line.number = count += histogram->counts[i];
        if (buckets)
            exposition_add_sample(text, &line);
    }
    line.label_name = NULL;
    line.suffix = "_count";
    exposition_add_sample(text, &line);
    line.suffix = "_sum";
    line.number = histogram->sum_us;
    line.decimals = sample->decimals;
    exposition_add_sample(text, &line);
}

static void add_samples(struct scrape *scrape, const struct metric *metric, const struct subject *subject)
{
    struct exposition_sample sample = {
        .name = metric->name, .suffix = "", .labels = scrape->labels.text + subject->labels_start, .labels_length = subject->labels_length,
        .label_name = metric->label, .decimals = metric->decimals,
    };
    const char *field = (const char *)subject->object + metric->offset;

    if (metric->kind == METRIC_BUCKETS) {
        add_histogram_samples(&scrape->text, &sample, (const struct report_histogram *)(const void *)field, has_buckets(scrape->query, metric));
        return;
    }
    if (metric->kind == METRIC_TEXT)
        sample.label_value = *(const char *const *)(const void *)field;
    for (unsigned i = 0; i < (metric->word ? metric->word_count : 1); i++) {
        if (metric->word)
            sample.label_value = metric->word(i);
        sample.number = read_value(metric, subject->object, i);
        exposition_add_sample(&scrape->text, &sample);
    }
}

/* The head of a family is written before its first sample. */
static void add_metric(struct scrape *scrape, const struct metric *metric)
{
    const struct subjects *subjects = &scrape->levels[metric->level];
    bool has_head = false;

    for (size_t i = 0; i < subjects->count; i++) {
        if (!(subjects->list[i].protocols & metric->protocol) || (metric->applies && !metric->applies(subjects->list[i].object)))
            continue;
        if (!has_head)
            exposition_add_family(&scrape->text, metric->name, type_word(scrape->query, metric), metric->help);
        has_head = true;
        add_samples(scrape, metric, &subjects->list[i]);
    }
}

char *metrics_text(const struct report *report, const struct metrics_facts *facts, const struct metrics_query *query, size_t *length)
{
    struct scrape scrape = {.query = query};
    char *text = NULL;

    sum_process(&scrape.process, report, facts);
    if (gather_subjects(&scrape, report)) {
        for (size_t i = 0; i < metrics_table_count; i++)
            if (metrics_table[i].level <= query->level)
                add_metric(&scrape, &metrics_table[i]);
        if (!scrape.text.failed) {
            text = scrape.text.text;
            *length = scrape.text.length;
            scrape.text = (struct exposition){0}; /* the caller owns the text now */
        }
    }
    for (enum metrics_level level = 0; level < METRICS_LEVELS; level++)
        free(scrape.levels[level].list);
    free(scrape.pools);
    exposition_deinit(&scrape.labels);
    exposition_deinit(&scrape.text);
    return text;
}
