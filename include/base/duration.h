/* base/duration.h: durations ("500ms", "2s", "5m", "1h") and sizes ("4096", "64k", "8m", "1g") as text.
 *
 * Pure functions, any thread, nothing allocated. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* Size of the longest text that duration_format() and size_format() write, including the terminating zero. */
#define DURATION_TEXT_BYTES 24

/* Parses a whole number directly followed by a unit (ms, s, m, h), from 0 to UINT64_MAX milliseconds. On success sets `*ms` and returns NULL. Otherwise
 * leaves `*ms` unchanged and returns a constant text such as "needs a unit: ms, s, m or h". */
const char *duration_parse(uint64_t *ms, const char *text);

/* Writes the form that duration_parse() reads, in the largest unit that is exact, and returns `buffer`. Text that does not fit is truncated. */
const char *duration_format(uint64_t ms, char *buffer, size_t size);

/* The same two functions for microseconds, with the units us, ms and s. */
const char *duration_us_parse(uint64_t *us, const char *text);
const char *duration_us_format(uint64_t us, char *buffer, size_t size);

/* Parses a whole number of bytes, KiB (k), MiB (m) or GiB (g). Returns the same as duration_parse(). */
const char *size_parse(uint64_t *bytes, const char *text);

/* Writes the form that size_parse() reads, in the largest unit that is exact, and returns `buffer`. Text that does not fit is truncated. */
const char *size_format(uint64_t bytes, char *buffer, size_t size);

#endif
