/* table/stats.c: counts, and their words, sums and estimates. Any thread; owns nothing. */
#include "table/stats.h"

#include <stdatomic.h>

#define MS 1000u
#define S 1000000u

const uint32_t stats_bounds_us[STATS_BUCKETS - 1] = {
    500, 1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S, 10 * S, 60 * S, 600 * S,
};

static const char *const refusal_words[] = {
    [REPORT_REFUSED_NO_BACKEND] = "no_backend",
    [REPORT_REFUSED_NO_RESOURCES] = "no_resources",
    [REPORT_REFUSED_CONNECT] = "connect",
    [REPORT_REFUSED_MAX_FLOWS] = "max_flows",
    [REPORT_REFUSED_LISTENER_FULL] = "listener_max_flows",
    [REPORT_REFUSED_SOURCE_FULL] = "max_flows_per_source",
    [REPORT_REFUSED_RATE] = "flow_rate",
    [REPORT_REFUSED_DRAINING] = "draining",
    [REPORT_REFUSED_UNANSWERABLE] = "unanswerable",
    [REPORT_REFUSED_TOO_LARGE] = "too_large",
    [REPORT_REFUSED_NO_ROOM] = "send_buffer_full",
    [REPORT_REFUSED_NOT_SENT] = "not_sent",
    [REPORT_REFUSED_UNWANTED] = "unwanted_reply",
};
_Static_assert(sizeof(refusal_words) / sizeof(refusal_words[0]) == REPORT_REFUSALS, "every refusal has a word");

static const char *const end_words[] = {
    [REPORT_END_NORMAL] = "--",
    [REPORT_END_CC] = "CC",
    [REPORT_END_CD] = "CD",
    [REPORT_END_SC] = "SC",
    [REPORT_END_SD] = "SD",
    [REPORT_END_SH] = "SH",
    [REPORT_END_CLIENT_IDLE] = "cD",
    [REPORT_END_CONNECT_TIMEOUT] = "sC",
    [REPORT_END_BACKEND_IDLE] = "sD",
    [REPORT_END_NO_FIRST_BYTE] = "sH",
    [REPORT_END_PC] = "PC",
    [REPORT_END_PD] = "PD",
    [REPORT_END_RC] = "RC",
    [REPORT_END_DD] = "DD",
    [REPORT_END_KD] = "KD",
    [REPORT_END_UD] = "UD",
};
_Static_assert(sizeof(end_words) / sizeof(end_words[0]) == REPORT_ENDS, "every end has a code");

/* ---- live counts ---- */

void stats_add(_Atomic uint64_t *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

uint64_t stats_read(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void stats_note_time(struct stats_histogram *histogram, uint64_t duration_ns)
{
    uint64_t duration_us = duration_ns / 1000;
    int bucket = 0;

    while (bucket < STATS_BUCKETS - 1 && duration_us > stats_bounds_us[bucket])
        bucket++;
    stats_add(&histogram->counts[bucket], 1);
    stats_add(&histogram->sum_us, duration_us);
}

static void report_histogram(const struct stats_histogram *stats, struct report_histogram *report)
{
    for (int i = 0; i < STATS_BUCKETS; i++)
        report->counts[i] = stats_read(&stats->counts[i]);
    report->sum_us = stats_read(&stats->sum_us);
}

void stats_report_traffic(const struct stats_traffic *stats, struct report_traffic *report)
{
    *report = (struct report_traffic){
        .sessions = stats_read(&stats->sessions),
        .sessions_failed = stats_read(&stats->sessions_failed),
        .flows = stats_read(&stats->flows),
        .bytes = {stats_read(&stats->bytes[0]), stats_read(&stats->bytes[1])},
        .datagrams = {stats_read(&stats->datagrams[0]), stats_read(&stats->datagrams[1])},
    };
    report_histogram(&stats->connect, &report->connect);
    report_histogram(&stats->first_byte, &report->first_byte);
    report_histogram(&stats->session, &report->session);
}

void stats_report_events(const struct stats_backend *stats, struct report_events *report)
{
    *report = (struct report_events){
        .connect_failures = stats_read(&stats->connect_failures),
        .retries = stats_read(&stats->retries),
        .replays = stats_read(&stats->replays),
        .evicted = stats_read(&stats->evicted),
    };
}

/* ---- plain values ---- */

const char *report_refusal_word(enum report_refusal refusal)
{
    return refusal_words[refusal];
}

const char *report_end_word(enum report_end end)
{
    return end_words[end];
}

uint64_t report_histogram_count(const struct report_histogram *histogram)
{
    uint64_t count = 0;

    for (int i = 0; i < STATS_BUCKETS; i++)
        count += histogram->counts[i];
    return count;
}

uint64_t report_histogram_percentile_us(const struct report_histogram *histogram, double percent)
{
    double wanted = (double)report_histogram_count(histogram) * percent / 100, before = 0;
    uint64_t lower_us = 0;

    for (int i = 0; i < STATS_BUCKETS - 1; i++) {
        double count = (double)histogram->counts[i];

        if (count > 0 && before + count >= wanted)
            return lower_us + (uint64_t)((double)(stats_bounds_us[i] - lower_us) * (wanted - before) / count);
        before += count;
        lower_us = stats_bounds_us[i];
    }
    return before < wanted ? lower_us : 0;
}

static void add_histogram(struct report_histogram *sum, const struct report_histogram *from)
{
    for (int i = 0; i < STATS_BUCKETS; i++)
        sum->counts[i] += from->counts[i];
    sum->sum_us += from->sum_us;
}

void report_add_traffic(struct report_traffic *sum, const struct report_traffic *from)
{
    sum->sessions += from->sessions;
    sum->sessions_failed += from->sessions_failed;
    sum->flows += from->flows;
    for (int i = 0; i < 2; i++) {
        sum->bytes[i] += from->bytes[i];
        sum->datagrams[i] += from->datagrams[i];
    }
    add_histogram(&sum->connect, &from->connect);
    add_histogram(&sum->first_byte, &from->first_byte);
    add_histogram(&sum->session, &from->session);
}

void report_add_events(struct report_events *sum, const struct report_events *from)
{
    sum->probes += from->probes;
    sum->probes_failed += from->probes_failed;
    sum->probes_timed_out += from->probes_timed_out;
    sum->connect_failures += from->connect_failures;
    sum->retries += from->retries;
    sum->replays += from->replays;
    sum->ejections += from->ejections;
    sum->evicted += from->evicted;
}
