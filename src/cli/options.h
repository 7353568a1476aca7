/* cli/options.h: the options that subcommands share. Main thread. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#define OPTIONS_DEFAULT_FILE "/etc/penstock/penstock.ini"

enum options_result {
    OPTIONS_GO,    /* do the work */
    OPTIONS_HELP,  /* --help was asked for */
    OPTIONS_WRONG, /* already reported in one line on standard error: return 2 */
};

/* Takes `[-c FILE] [--help]` of the subcommand argv[0]. `*file` becomes FILE, or OPTIONS_DEFAULT_FILE without -c; with a NULL
 * `file`, -c is not an option of this subcommand. */
enum options_result options_parse(int argc, char **argv, const char **file);

#endif
