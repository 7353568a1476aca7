/* options.c: parses options that are described by a table. Main thread only, before any other thread exists. */
#include "options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

void options_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("penstock-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

_Noreturn static void print_help(const struct option_row *rows, const char *usage)
{
    puts(usage);
    for (; rows->name; rows++) {
        int width = printf("  %s %s", rows->name, rows->value);
        printf("%*s%s\n", width < 30 ? 30 - width : 1, "", rows->help);
    }
    exit(0);
}

static const struct option_row *find_row(const struct option_row *rows, const char *text, size_t length)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == length && memcmp(rows->name, text, length) == 0)
            return rows;
    return NULL;
}

static void store_value(const struct option_row *row, void *settings, const char *value)
{
    char *field = (char *)settings + row->offset;
    const char *expected = NULL;
    uint64_t number = 0;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return;
    case OPTION_TEXT:
        *(const char **)(void *)field = value;
        return;
    case OPTION_CUSTOM:
        expected = row->parse(settings, value);
        break;
    case OPTION_COUNT:
        expected = units_parse_count(value, &number);
        break;
    case OPTION_BYTES:
        expected = units_parse_bytes(value, &number);
        break;
    case OPTION_DURATION:
        expected = units_parse_duration(value, &number);
        break;
    }
    if (expected)
        options_refuse("%s %s: expected %s", row->name, value, expected);
    if (row->kind == OPTION_CUSTOM)
        return;
    if (number < row->min || number > row->max)
        options_refuse("%s %s: too %s (the limit is %" PRIu64 "%s)", row->name, value,
                       number < row->min ? "small" : "large", number < row->min ? row->min : row->max,
                       row->kind == OPTION_DURATION ? " ns" : "");
    *(uint64_t *)(void *)field = number;
}

void options_parse(const struct option_row *rows, void *settings, char **argv, const char **operand,
                   const char *usage)
{
    for (char **arg = argv + 1; *arg; arg++) {
        if (strcmp(*arg, "--help") == 0 || strcmp(*arg, "-h") == 0)
            print_help(rows, usage);
        if ((*arg)[0] != '-') {
            if (!operand)
                options_refuse("unexpected argument '%s' (--help lists the options)", *arg);
            if (*operand)
                options_refuse("one target only: '%s' or '%s'?", *operand, *arg);
            *operand = *arg;
            continue;
        }
        size_t length = strcspn(*arg, "=");
        const struct option_row *row = find_row(rows, *arg, length);
        if (!row)
            options_refuse("unknown option '%s' (--help lists the options)", *arg);
        const char *value = (*arg)[length] == '=' ? *arg + length + 1 : NULL;
        if (row->kind == OPTION_FLAG && value)
            options_refuse("%s takes no value", row->name);
        if (row->kind != OPTION_FLAG && !value) {
            value = *++arg;
            if (!value)
                options_refuse("%s needs a value: %s", row->name, row->value);
        }
        store_value(row, settings, value);
    }
}
