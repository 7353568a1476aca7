/* units.h: durations, sizes, counts and rates as people write them. Pure functions, any thread. */
#ifndef LOADGEN_UNITS_H
#define LOADGEN_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* Each function parses a text that must be a number as a whole. It returns NULL on success. Otherwise it returns a constant text that says what is
 * expected, and leaves `out` unchanged.
 * A duration is "250us", "5ms", "1.5s", "2m" or "1h", at most 1000 h; "0" needs no unit.
 * Bytes are "128", "64k", "10M" or "1G", with powers of 1024 and an optional final B, at most 2^50.
 * A count is decimal digits, at most 18. */
const char *units_parse_duration(const char *text, uint64_t *out_ns);
const char *units_parse_bytes(const char *text, uint64_t *out_bytes);
const char *units_parse_count(const char *text, uint64_t *out);

/* Size of the longest text of the functions below, with its terminating zero. */
#define UNITS_TEXT_BYTES 24

/* Both write two to four significant digits and a suitable unit to `buffer`, which has UNITS_TEXT_BYTES, and return it. */
const char *units_format_duration(double ns, char *buffer);
const char *units_format_bytes(double bytes, char *buffer);

#endif
