/* base/histogram.h: counts durations in fixed memory, to about three significant digits.
 *
 * The buckets are log-linear, after Gil Tene's HdrHistogram. Every value below 2048 ns has its own bucket. Every octave above is divided into 1024 equal
 * buckets, so a percentile is less than 1/1024 above a recorded value. Values above HISTOGRAM_VALUE_MAX_NS (73 minutes) share the last bucket; min, max and
 * mean remain exact for them.
 *
 * The struct has no locks. One thread writes it; others may read or merge it after that thread has stopped or handed it over. It is large (264 KiB): allocate
 * it on the heap. An all-zero struct is not valid: call histogram_init(). */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_EXACT 2048u      /* each smaller value has its own bucket */
#define HISTOGRAM_PER_OCTAVE 1024u /* buckets in each octave above */
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

void histogram_init(struct histogram *histogram); /* also empties a histogram that was in use */

void histogram_record(struct histogram *histogram, uint64_t value_ns);

/* Adds all values of `from`, which is not changed. The order of several merges does not matter. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Returns the smallest value that at least `percent` per cent of the recorded values do not exceed. It is rounded up to the end of its bucket, but never
 * outside [min, max]. `percent` is clamped to [0, 100]: 0 gives min, 100 gives max. Returns 0 while the histogram is empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* These return 0 while the histogram is empty. */
uint64_t histogram_min(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

#endif
