/* base/histogram.h: how often each duration was seen, to about three significant digits, in fixed memory.
 *
 * Log-linear buckets after Gil Tene's HdrHistogram: every value below 2048 ns has a bucket of its own, every octave
 * above is cut into 1024 equal buckets, so a percentile is less than 1/1024 above a value that was recorded. Values
 * past HISTOGRAM_VALUE_MAX_NS (73 minutes) share the last bucket; min, max and mean stay exact for them.
 *
 * A plain struct without locks: one thread writes it; others may read or merge it once that thread has stopped or
 * handed it over. Large (264 KiB): allocate it, do not put it on a stack. All zero is not valid: call histogram_init().
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_EXACT 2048u      /* values below have a bucket each */
#define HISTOGRAM_PER_OCTAVE 1024u /* buckets of each octave above */
#define HISTOGRAM_VALUE_BITS 42u   /* 2^42 ns is 73 minutes */
#define HISTOGRAM_VALUE_MAX_NS ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)
#define HISTOGRAM_BUCKETS (HISTOGRAM_EXACT + (HISTOGRAM_VALUE_BITS - 11) * HISTOGRAM_PER_OCTAVE)

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* UINT64_MAX while empty */
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *histogram); /* also empties a used one */

void histogram_record(struct histogram *histogram, uint64_t value_ns);

/* Adds everything that `from` holds; `from` is not changed. The result is the same whatever the order. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest value that at least `percent` per cent of the recorded values do not exceed, rounded up to the end of
 * its bucket, but never outside [min, max]. `percent` outside [0, 100] is taken as the nearer end: 0 gives min, 100
 * gives max. 0 while empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* All 0 while empty. */
uint64_t histogram_min(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

#endif
