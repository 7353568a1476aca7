/* cli/format.c: numbers, times and names that fit a column of a table. Pure functions, any thread. */
#include "cli/format.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Writes `value` with the first of `units` with which it has at most `digits_max` digits before its point. Values below 10 of a unit have one decimal. */
static const char *format_scaled(double value, double step, double limit, const char *units, char *text)
{
    size_t unit = 0;

    if (!(value > 0)) /* also NaN */
        value = 0;
    while (value >= limit - 0.5 && units[unit] != '\0') {
        value /= step;
        limit = step;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, FORMAT_BYTES, "%.0f", value);
    else
        (void)snprintf(text, FORMAT_BYTES, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit - 1]);
    return text;
}

const char *format_count(double value, char *text)
{
    return format_scaled(value, 1000, 100000, "kMGTP", text);
}

const char *format_bytes(double bytes, char *text)
{
    return format_scaled(bytes, 1024, 1024, "kMGTP", text);
}

const char *format_ms(double ms, char *text)
{
    double seconds = ms / 1000;

    if (!(ms >= 0))
        (void)snprintf(text, FORMAT_BYTES, "-");
    else if (ms < 0.995)
        (void)snprintf(text, FORMAT_BYTES, "%.2fms", ms);
    else if (ms < 9.95)
        (void)snprintf(text, FORMAT_BYTES, "%.1fms", ms);
    else if (ms < 999.5)
        (void)snprintf(text, FORMAT_BYTES, "%.0fms", ms);
    else
        (void)snprintf(text, FORMAT_BYTES, seconds < 9.95 ? "%.1fs" : "%.0fs", seconds);
    return text;
}

const char *format_age(double seconds, char *text)
{
    uint64_t s = seconds > 0 ? (uint64_t)seconds : 0, m = s / 60, h = m / 60, d = h / 24;

    if (m == 0)
        (void)snprintf(text, FORMAT_BYTES, "%us", (unsigned)s);
    else if (h == 0)
        (void)snprintf(text, FORMAT_BYTES, "%um%us", (unsigned)m, (unsigned)(s % 60));
    else if (d == 0)
        (void)snprintf(text, FORMAT_BYTES, "%uh%um", (unsigned)h, (unsigned)(m % 60));
    else if (d < 100)
        (void)snprintf(text, FORMAT_BYTES, "%ud%uh", (unsigned)d, (unsigned)(h % 24));
    else
        (void)snprintf(text, FORMAT_BYTES, "%ud", (unsigned)d);
    return text;
}

const char *format_cut(const char *name, size_t width, char *text)
{
    size_t bytes = strlen(name), end = (width - 2) / 2, start = width - 2 - end;

    assert(width >= 5 && width < FORMAT_BYTES);
    if (bytes <= width)
        (void)snprintf(text, FORMAT_BYTES, "%s", name);
    else
        (void)snprintf(text, FORMAT_BYTES, "%.*s..%s", (int)start, name, name + bytes - end);
    return text;
}
