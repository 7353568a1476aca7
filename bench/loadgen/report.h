/* report.h: sums the results of the load threads and prints them as a table, as JSON, or as a progress line. Main thread only. */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "load.h"

/* Adds `from`, whose thread has ended, to `into`. */
void report_merge(struct load_result *into, const struct load_result *from);

/* Returns whether the run was clean: something was answered, nothing was lost, and all backends were named if that was required. Otherwise the exit status is
 * 1. */
bool report_clean(const struct load_settings *settings, const struct load_result *result);

void report_table(const struct load_settings *settings, const struct load_result *result);
void report_json(const struct load_settings *settings, const struct load_result *result);

/* Parts of the reports of all kinds of load. report_json_text() escapes quotes, backslashes and control bytes. */
void report_latency_lines(const struct histogram *latency);
void report_json_latency(const struct histogram *latency);
void report_json_text(const char *text);

/* The progress line on standard error. On a terminal it is rewritten in place; otherwise each call prints a new line. If the struct is all zero, nothing has
 * been shown yet. */
struct report_progress {
    uint64_t started_ns, shown_ns;
    uint64_t requests, bytes, latency_sum_ns; /* the sums at shown_ns */
    bool shown;
};
void report_progress(struct report_progress *progress, const struct load_shared *sum, uint64_t now_ns);
void report_progress_end(struct report_progress *progress);

#endif
