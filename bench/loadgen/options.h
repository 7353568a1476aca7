/* options.h: parses the options of a subcommand, which are a table. Main thread only. */
#ifndef LOADGEN_OPTIONS_H
#define LOADGEN_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool, no value */
    OPTION_COUNT,    /* uint64_t */
    OPTION_BYTES,    /* uint64_t */
    OPTION_DURATION, /* uint64_t, nanoseconds */
    OPTION_TEXT,     /* const char *, points into argv */
    OPTION_CUSTOM,   /* parse() stores the value in the caller's struct; it returns NULL, or a text that says what was expected */
};

struct option_row {
    const char *name; /* with its two dashes; NULL in the last row */
    enum option_kind kind;
    size_t offset; /* of the field in the caller's struct; not used by OPTION_CUSTOM */
    uint64_t min, max;
    const char *(*parse)(void *settings, const char *value);
    const char *value; /* name of the value in the help text; "" for a flag */
    const char *help;
};

/* Reports wrong usage: prints "penstock-bench: " and the text as one line on standard error, and exits with status 2. */
_Noreturn void options_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills `settings` from argv[1..], which have the form "--name value" or "--name=value". `*operand` is set to the one argument without dashes; if `operand`
 * is NULL, such an argument is refused. "--help" prints `usage` and the table and exits with status 0. Errors end in options_refuse(). */
void options_parse(const struct option_row *rows, void *settings, char **argv, const char **operand, const char *usage);

#endif
