/* progress.c: the progress line of a running load. Main thread only. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "report.h"
#include "units.h"

void report_progress(struct report_progress *progress, const struct load_shared *sum, uint64_t now_ns)
{
    char latency[UNITS_TEXT_BYTES] = "-", bytes[UNITS_TEXT_BYTES];
    double seconds = (double)(now_ns - progress->shown_ns) / 1e9;
    uint64_t requests = sum->requests - progress->requests;
    if (requests > 0 && sum->latency_sum_ns > progress->latency_sum_ns)
        units_format_duration((double)(sum->latency_sum_ns - progress->latency_sum_ns) / (double)requests, latency);
    fprintf(stderr,
            "%s%5.1fs  %9.0f req/s  mean %-7s  %s/s verified  %" PRIu64 " open  %" PRIu64 " requests  %" PRIu64
            " lost  %" PRIu64 " retried%s",
            isatty(STDERR_FILENO) ? "\r" : "", (double)(now_ns - progress->started_ns) / 1e9,
            (double)requests / seconds, latency,
            units_format_bytes((double)(sum->bytes - progress->bytes) / seconds, bytes), sum->open, sum->requests,
            sum->errors, sum->retries, isatty(STDERR_FILENO) ? "\033[K" : "\n");
    progress->shown_ns = now_ns;
    progress->requests = sum->requests;
    progress->bytes = sum->bytes;
    progress->latency_sum_ns = sum->latency_sum_ns;
    progress->shown = true;
}

void report_progress_end(struct report_progress *progress)
{
    if (progress->shown && isatty(STDERR_FILENO))
        fputc('\n', stderr);
    progress->shown = false;
}
