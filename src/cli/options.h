/* cli/options.h: the options that subcommands share. Main thread. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#define OPTIONS_DEFAULT_FILE "/etc/penstock/penstock.ini"

enum options_result {
    OPTIONS_GO,    /* run the subcommand */
    OPTIONS_HELP,  /* --help was given: print the usage */
    OPTIONS_WRONG, /* wrong usage, already reported on standard error: return 2 */
};

/* Parses `[-c FILE] [--help]` of the subcommand argv[0]. Sets `*file` to FILE, or to OPTIONS_DEFAULT_FILE without -c. If `file` is NULL,
 * the subcommand does not accept -c. */
enum options_result options_parse(int argc, char **argv, const char **file);

#endif
