/* base/duration.c: durations and sizes as text. Pure functions, any thread. */
#include "base/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest unit first: the formatters use the first unit that divides the value. */
static const struct unit duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit short_units[] = {{"s", 1000000}, {"ms", 1000}, {"us", 1}};
static const struct unit size_units[] = {{"g", 1u << 30}, {"m", 1u << 20}, {"k", 1u << 10}, {"", 1}};

#define UNITS(list) (sizeof(list) / sizeof((list)[0]))

/* Reads the digits at `*text` and moves `*text` past them. Returns false if there are none. `*fits` becomes false if the number needs more than 64 bits. */
static bool take_number(uint64_t *value, const char **text, bool *fits)
{
    size_t n = strspn(*text, "0123456789");
    uint64_t v = 0;
    *fits = true;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)((*text)[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            *fits = false;
        v = v * 10 + digit;
    }
    *value = v;
    *text += n;
    return n > 0;
}

struct messages {
    const char *no_number, *no_unit, *bad_unit;
};

static const char *parse_amount(uint64_t *out, const char *text, const struct unit *units, size_t count, const struct messages *messages)
{
    uint64_t value;
    bool fits;

    if (!take_number(&value, &text, &fits))
        return messages->no_number;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (!fits || value > UINT64_MAX / units[i].factor)
            return "too large";
        *out = value * units[i].factor;
        return NULL;
    }
    return *text == '\0' ? messages->no_unit : messages->bad_unit;
}

static const char *format_amount(uint64_t value, const struct unit *units, char *buffer, size_t size)
{
    size_t i = 0;
    while (value % units[i].factor != 0)
        i++;
    snprintf(buffer, size, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
    return buffer;
}

const char *duration_parse(uint64_t *ms, const char *text)
{
    static const struct messages messages = {
        .no_number = "not a duration such as 500ms, 2s, 5m or 1h",
        .no_unit = "needs a unit: ms, s, m or h",
        .bad_unit = "not a whole number with one of the units ms, s, m, h",
    };
    return parse_amount(ms, text, duration_units, UNITS(duration_units), &messages);
}

const char *duration_us_parse(uint64_t *us, const char *text)
{
    static const struct messages messages = {
        .no_number = "not a duration such as 50us or 1ms",
        .no_unit = "needs a unit: us, ms or s",
        .bad_unit = "not a whole number with one of the units us, ms, s",
    };
    return parse_amount(us, text, short_units, UNITS(short_units), &messages);
}

const char *duration_us_format(uint64_t us, char *buffer, size_t size)
{
    if (us == 0)
        return snprintf(buffer, size, "0s"), buffer;
    return format_amount(us, short_units, buffer, size);
}

const char *duration_format(uint64_t ms, char *buffer, size_t size)
{
    if (ms == 0)
        return snprintf(buffer, size, "0s"), buffer;
    return format_amount(ms, duration_units, buffer, size);
}

const char *size_parse(uint64_t *bytes, const char *text)
{
    static const struct messages messages = {
        .no_number = "not a size such as 4096, 64k, 8m or 1g",
        .no_unit = "not a size such as 4096, 64k, 8m or 1g",
        .bad_unit = "not a whole number of bytes, or one with k, m or g",
    };
    return parse_amount(bytes, text, size_units, UNITS(size_units), &messages);
}

const char *size_format(uint64_t bytes, char *buffer, size_t size)
{
    if (bytes == 0)
        return snprintf(buffer, size, "0"), buffer;
    return format_amount(bytes, size_units, buffer, size);
}
