/* cli/options.h: reads the options and operands of a subcommand. Main thread; allocates nothing. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_DEFAULT_FILE "/etc/penstock/penstock.ini"

enum { OPTIONS_ROWS_MAX = 16, OPTIONS_OPERANDS_MAX = 4 };

enum options_result {
    OPTIONS_GO,    /* run the subcommand */
    OPTIONS_HELP,  /* --help was given: print the usage */
    OPTIONS_WRONG, /* wrong usage, already reported on standard error: return 2 */
};

/* One option. It has a letter, a long name, or both. */
struct options_row {
    char letter;        /* 0: none */
    const char *name;   /* without its dashes; NULL: none */
    const char *form;   /* of its value in messages, such as "FILE"; NULL: the option is a flag */
    const char **value; /* set to the value; NULL for a flag */
    bool *flag;         /* set to true; NULL for an option with a value */
};

/* What a subcommand accepts. --help and -h are always accepted. */
struct options_syntax {
    const char *command;            /* for messages, such as "backend add" */
    const char *usage;              /* what --help prints; NULL: the caller does that */
    const struct options_row *rows; /* at most OPTIONS_ROWS_MAX */
    size_t row_count;
    const char *operands;           /* their form in messages, such as "POOL/BACKEND N"; "": there are none */
    size_t operands_min, operands_max; /* at most OPTIONS_OPERANDS_MAX */
};

/* Reads the arguments after argv[0]; options and operands may be mixed. Each option may be given once. Sets the values of the options that are given, and
 * `operands`, an array of at least operands_max: those that are not given become NULL. Prints the usage on --help. */
enum options_result options_read(int argc, char **argv, const struct options_syntax *syntax, const char **operands);

/* Reads `[-c FILE] [--help]` of the subcommand argv[0]. Sets `*file` to FILE, or to OPTIONS_DEFAULT_FILE without -c. If `file` is NULL,
 * the subcommand does not accept -c. */
enum options_result options_parse(int argc, char **argv, const char **file);

#endif
