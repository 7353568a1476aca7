/* base/histogram.c: log-linear histogram of durations. Pure arithmetic on the caller's struct; any thread, one at a
 * time. */
#include "base/histogram.h"

#include <string.h>

static unsigned bucket_of(uint64_t value_ns)
{
    if (value_ns < HISTOGRAM_EXACT)
        return (unsigned)value_ns;
    if (value_ns > HISTOGRAM_VALUE_MAX_NS)
        value_ns = HISTOGRAM_VALUE_MAX_NS;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value_ns); /* 11 and up */
    unsigned shift = octave - 10;
    /* value >> shift is in [1024, 2048). Its low ten bits are the position within the octave. */
    return HISTOGRAM_EXACT + (octave - 11) * HISTOGRAM_PER_OCTAVE +
           ((unsigned)(value_ns >> shift) - HISTOGRAM_PER_OCTAVE);
}

/* Returns the largest value that falls into the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < HISTOGRAM_EXACT)
        return bucket;
    unsigned octave = (bucket - HISTOGRAM_EXACT) / HISTOGRAM_PER_OCTAVE + 11;
    uint64_t place = (bucket - HISTOGRAM_EXACT) % HISTOGRAM_PER_OCTAVE + HISTOGRAM_PER_OCTAVE;
    return ((place + 1) << (octave - 10)) - 1;
}

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min_ns = UINT64_MAX;
}

void histogram_record(struct histogram *histogram, uint64_t value_ns)
{
    histogram->count++;
    histogram->sum_ns += value_ns;
    if (value_ns < histogram->min_ns)
        histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
    histogram->buckets[bucket_of(value_ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    if (from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0)
        return 0;
    if (!(percent > 0)) /* also NaN */
        return histogram->min_ns;
    if (percent >= 100)
        return histogram->max_ns;
    /* Subtract a little first: otherwise 7 % of 20000 is 1400.0000000000002 and rounds up to the 1401st value. */
    double exact = percent / 100 * (double)histogram->count * (1 - 1e-12);
    uint64_t rank = (uint64_t)exact; /* rounded up below; the rank of the value, counted from 1 */
    if ((double)rank < exact)
        rank++;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen < rank)
            continue;
        uint64_t value = bucket_end(i);
        if (value < histogram->min_ns)
            value = histogram->min_ns; /* in the last bucket, when every value is above its range */
        return value > histogram->max_ns ? histogram->max_ns : value;
    }
    return histogram->max_ns;
}

uint64_t histogram_min(const struct histogram *histogram)
{
    return histogram->count ? histogram->min_ns : 0;
}

uint64_t histogram_max(const struct histogram *histogram)
{
    return histogram->max_ns;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum_ns / (double)histogram->count : 0;
}
