/* units.h: durations, sizes, counts and rates as people write them. Pure functions, any thread. */
#ifndef LOADGEN_UNITS_H
#define LOADGEN_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* Each parses the whole text or nothing: NULL on success, else a constant text that says what is expected, and `out` is
 * left alone.
 * A duration: "250us", "5ms", "1.5s", "2m", "1h"; "0" needs no unit; at most 1000 h.
 * Bytes: "128", "64k", "10M", "1G": powers of 1024; a final B is allowed; at most 2^50.
 * A count: decimal digits only, at most 18. */
const char *units_parse_duration(const char *text, uint64_t *out_ns);
const char *units_parse_bytes(const char *text, uint64_t *out_bytes);
const char *units_parse_count(const char *text, uint64_t *out);

/* Longest text of the functions below, with its ending zero. */
#define UNITS_TEXT_BYTES 24

/* Three to four significant digits with a fitting unit; they return `buffer`, which holds UNITS_TEXT_BYTES. */
const char *units_format_duration(double ns, char *buffer);
const char *units_format_bytes(double bytes, char *buffer);

#endif
