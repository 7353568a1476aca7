/* cli/format.h: numbers, times and names that fit a column of a table. Pure functions, any thread.
 *
 * Each function writes to `text`, which has FORMAT_BYTES, and returns it. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { FORMAT_BYTES = 32 };

/* At most five characters: "12345", then "123k", "1.2M". Negative values count as 0. */
const char *format_count(double value, char *text);

/* At most six characters, in powers of 1024: "512", "1.5k", "1023M". */
const char *format_bytes(double bytes, char *text);

/* At most six characters: "0.21ms", "14ms", "3.2s". "-" if `ms` is negative, which stands for "not known". */
const char *format_ms(double ms, char *text);

/* At most six characters, the two largest units: "12s", "3m20s", "3h12m", "2d4h", "400d". */
const char *format_age(double seconds, char *text);

/* At most `width` characters of a name, from 5 to FORMAT_BYTES - 1. What does not fit is left out of the middle, because names of one kind often
 * differ at their end: "gpu-rack-..-node-17". */
const char *format_cut(const char *name, size_t width, char *text);

#endif
