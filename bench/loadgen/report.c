/* report.c: sums, table and JSON. Main thread only, after the load threads have ended. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

static const char *const error_names[LOAD_ERRORS] = {
    [LOAD_REFUSED] = "refused", [LOAD_STALL] = "stall", [LOAD_RESET] = "reset",
    [LOAD_EOF] = "eof",         [LOAD_WRONG] = "wrong", [LOAD_OTHER] = "other"};

static void merge_names(struct load_result *into, const struct load_result *from)
{
    for (unsigned i = 0; i < from->name_count; i++) {
        unsigned at = 0;
        while (at < into->name_count && strcmp(into->names[at].name, from->names[i].name) != 0)
            at++;
        if (at == LOAD_NAMES_MAX)
            continue;
        if (at == into->name_count)
            memcpy(into->names[into->name_count++].name, from->names[i].name, PROTOCOL_NAME_BYTES);
        into->names[at].requests += from->names[i].requests;
        into->names[at].connections += from->names[i].connections;
    }
    for (unsigned i = 1; i < into->name_count; i++) { /* sort them by name */
        struct load_name name = into->names[i];
        unsigned at = i;
        for (; at > 0 && strcmp(into->names[at - 1].name, name.name) > 0; at--)
            into->names[at] = into->names[at - 1];
        into->names[at] = name;
    }
}

void report_merge(struct load_result *into, const struct load_result *from)
{
    into->requests += from->requests;
    into->warmup_requests += from->warmup_requests;
    for (int i = 0; i < LOAD_ERRORS; i++) {
        into->errors[i] += from->errors[i];
        into->retries[i] += from->retries[i];
    }
    into->connects += from->connects;
    into->reconnects += from->reconnects;
    into->open_peak += from->open_peak;
    into->sent_bytes += from->sent_bytes;
    into->received_bytes += from->received_bytes;
    into->verified_bytes += from->verified_bytes;
    into->unnamed += from->unnamed;
    if (from->elapsed_ns > into->elapsed_ns)
        into->elapsed_ns = from->elapsed_ns;
    if (into->other_errno == 0)
        into->other_errno = from->other_errno;
    if (into->first_wrong[0] == '\0')
        memcpy(into->first_wrong, from->first_wrong, sizeof(into->first_wrong));
    merge_names(into, from);
    histogram_merge(&into->latency, &from->latency);
}

static uint64_t sum_errors(const uint64_t *counts)
{
    uint64_t total = 0;
    for (int i = 0; i < LOAD_ERRORS; i++)
        total += counts[i];
    return total;
}

bool report_clean(const struct load_settings *settings, const struct load_result *result)
{
    if (sum_errors(result->errors) > 0 || result->requests + result->warmup_requests == 0)
        return false;
    return !settings->expect_names || result->unnamed == 0;
}

static double request_rate(const struct load_result *result)
{
    return result->elapsed_ns > 0 ? (double)result->requests * 1e9 / (double)result->elapsed_ns : 0;
}

static void counts_line(const char *label, const uint64_t *counts)
{
    printf("%-12s %" PRIu64, label, sum_errors(counts));
    const char *separator = "  (";
    for (int i = 0; i < LOAD_ERRORS; i++) {
        if (counts[i] == 0)
            continue;
        printf("%s%s %" PRIu64, separator, error_names[i], counts[i]);
        separator = ", ";
    }
    puts(separator[0] == ',' ? ")" : "");
}

void report_latency_lines(const struct histogram *latency)
{
    static const double percents[] = {50, 90, 99, 99.9};
    char text[UNITS_TEXT_BYTES];
    printf("latency      mean %s", units_format_duration(histogram_mean(latency), text));
    for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++)
        printf("  p%g %s", percents[i],
               units_format_duration((double)histogram_percentile(latency, percents[i]), text));
    printf("  max %s\n", units_format_duration((double)histogram_max(latency), text));
}

static void spread_lines(const struct load_settings *settings, const struct load_result *result)
{
    for (unsigned i = 0; i < result->name_count; i++) {
        const struct load_name *name = &result->names[i];
        double part = result->requests > 0 ? 100.0 * (double)name->requests / (double)result->requests : 0;
        printf("%-12s %-23s %10" PRIu64 " requests %5.1f %%  %8" PRIu64 " connections\n", i == 0 ? "backends" : "",
               name->name, name->requests, part, name->connections);
    }
    if (result->unnamed > 0 && (settings->expect_names || result->name_count > 0))
        printf("%-12s %-23s %10" PRIu64 " requests\n", "", "(without a name)", result->unnamed);
}

void report_table(const struct load_settings *settings, const struct load_result *result)
{
    char a[UNITS_TEXT_BYTES], b[UNITS_TEXT_BYTES], c[UNITS_TEXT_BYTES];
    double seconds = (double)result->elapsed_ns / 1e9;
    printf("%s to %s: %" PRIu64 " connections, %s loop\n", settings->work->name, settings->target_text,
           settings->connections, settings->rate > 0 ? "open" : "closed");
    printf("requests     %" PRIu64 " in %.2fs, %.1f/s", result->requests, seconds, request_rate(result));
    printf(result->warmup_requests > 0 ? " (and %" PRIu64 " to warm up)\n" : "\n", result->warmup_requests);
    report_latency_lines(&result->latency);
    counts_line("lost", result->errors);
    if (result->first_wrong[0] != '\0')
        printf("%-12s %s\n", "", result->first_wrong);
    if (result->other_errno != 0)
        printf("%-12s first other: %s\n", "", strerror(result->other_errno));
    if (settings->retry > 0 || sum_errors(result->retries) > 0)
        counts_line("retried", result->retries);
    printf("connections  %" PRIu64 " opened, %" PRIu64 " at once", result->connects, result->open_peak);
    printf(result->reconnects > 0 ? ", %" PRIu64 " in place of broken ones\n" : "\n", result->reconnects);
    printf("bytes        %s sent, %s received, %s verified\n", units_format_bytes((double)result->sent_bytes, a),
           units_format_bytes((double)result->received_bytes, b),
           units_format_bytes((double)result->verified_bytes, c));
    spread_lines(settings, result);
    if (!report_clean(settings, result) && sum_errors(result->errors) == 0)
        puts(result->unnamed > 0 ? "NOT CLEAN: answers without a backend's name"
                                 : "NOT CLEAN: no request was answered");
}

/* Escapes quotes, backslashes and control bytes. The target is the only text that comes from the user. */
void report_json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < ' ' || *c > '~')
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

static void json_counts(const char *key, const uint64_t *counts)
{
    printf("  \"%s\": {\"total\": %" PRIu64, key, sum_errors(counts));
    for (int i = 0; i < LOAD_ERRORS; i++)
        printf(", \"%s\": %" PRIu64, error_names[i], counts[i]);
    puts("},");
}

void report_json_latency(const struct histogram *latency)
{
    printf("  \"latency_ns\": {\"min\": %" PRIu64 ", \"mean\": %.0f, \"p50\": %" PRIu64 ", \"p90\": %" PRIu64
           ", \"p99\": %" PRIu64 ", \"p999\": %" PRIu64 ", \"max\": %" PRIu64 "},\n",
           histogram_min(latency), histogram_mean(latency), histogram_percentile(latency, 50),
           histogram_percentile(latency, 90), histogram_percentile(latency, 99), histogram_percentile(latency, 99.9),
           histogram_max(latency));
}

void report_json(const struct load_settings *settings, const struct load_result *result)
{
    printf("{\n  \"work\": \"%s\",\n  \"target\": ", settings->work->name);
    report_json_text(settings->target_text);
    printf(",\n  \"clean\": %s,\n", report_clean(settings, result) ? "true" : "false");
    printf("  \"requests\": %" PRIu64 ",\n  \"warmup_requests\": %" PRIu64 ",\n", result->requests,
           result->warmup_requests);
    printf("  \"elapsed_s\": %.6f,\n  \"rate\": %.3f,\n", (double)result->elapsed_ns / 1e9, request_rate(result));
    report_json_latency(&result->latency);
    json_counts("errors", result->errors);
    json_counts("retried", result->retries);
    printf("  \"first_wrong\": ");
    report_json_text(result->first_wrong);
    printf(",\n  \"first_other\": ");
    report_json_text(result->other_errno != 0 ? strerror(result->other_errno) : "");
    printf(",\n  \"connections\": {\"wanted\": %" PRIu64 ", \"opened\": %" PRIu64 ", \"peak\": %" PRIu64
           ", \"reconnects\": %" PRIu64 "},\n",
           settings->connections, result->connects, result->open_peak, result->reconnects);
    printf("  \"bytes\": {\"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"verified\": %" PRIu64 "},\n",
           result->sent_bytes, result->received_bytes, result->verified_bytes);
    printf("  \"unnamed\": %" PRIu64 ",\n  \"backends\": {", result->unnamed);
    for (unsigned i = 0; i < result->name_count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        report_json_text(result->names[i].name);
        printf(": {\"requests\": %" PRIu64 ", \"connections\": %" PRIu64 "}", result->names[i].requests,
               result->names[i].connections);
    }
    puts("}\n}");
}
