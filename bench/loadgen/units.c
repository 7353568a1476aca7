/* units.c: durations, sizes and counts to and from text. Pure functions, any thread. */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

/* Parses a number with an optional fraction and one of `units`. The first condition refuses what strtod() would also accept: signs, blanks, hexadecimal
 * numbers, inf and nan. */
static int parse_scaled(const char *text, const struct unit *units, double max, uint64_t *out)
{
    if (!isdigit((unsigned char)text[0]) || text[strspn(text, "0123456789")] == 'x')
        return -EINVAL;
    char *end;
    double number = strtod(text, &end);
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strcmp(end, unit->name) != 0)
            continue;
        double value = number * unit->factor;
        if (!(value <= max))
            return -ERANGE;
        *out = (uint64_t)(value + 0.5);
        return 0;
    }
    return -EINVAL;
}

const char *units_parse_duration(const char *text, uint64_t *out_ns)
{
    static const struct unit units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6}, {"s", 1e9},
                                        {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
    if (strcmp(text, "0") == 0) {
        *out_ns = 0;
        return NULL;
    }
    if (parse_scaled(text, units, 1000 * 3600e9, out_ns) != 0)
        return "a duration such as 250us, 5ms, 1.5s or 2m";
    return NULL;
}

const char *units_parse_bytes(const char *text, uint64_t *out_bytes)
{
    static const struct unit units[] = {{"", 1},           {"B", 1},           {"k", 1024},    {"K", 1024},
                                        {"kB", 1024},      {"KB", 1024},       {"M", 1048576}, {"MB", 1048576},
                                        {"G", 1073741824}, {"GB", 1073741824}, {NULL, 0}};
    if (parse_scaled(text, units, 0x1p50, out_bytes) != 0)
        return "a size such as 128, 64k, 10M or 1G";
    return NULL;
}

const char *units_parse_count(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return "a whole number";
    *out = strtoull(text, NULL, 10);
    return NULL;
}

const char *units_format_duration(double ns, char *buffer)
{
    static const struct unit units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        double value = ns / units[i].factor;
        if (value < 1)
            continue;
        snprintf(buffer, UNITS_TEXT_BYTES, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[i].name);
        return buffer;
    }
    snprintf(buffer, UNITS_TEXT_BYTES, "%.0fns", ns);
    return buffer;
}

const char *units_format_bytes(double bytes, char *buffer)
{
    static const struct unit units[] = {{"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10}};
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        double value = bytes / units[i].factor;
        if (value < 1)
            continue;
        snprintf(buffer, UNITS_TEXT_BYTES, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[i].name);
        return buffer;
    }
    snprintf(buffer, UNITS_TEXT_BYTES, "%.0f B", bytes);
    return buffer;
}
