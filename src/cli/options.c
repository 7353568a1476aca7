/* cli/options.c: the options that subcommands share. Main thread. */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum options_result options_parse(int argc, char **argv, const char **file)
{
    static const struct option help_only[] = {{"help", no_argument, NULL, 'h'}, {0}};
    const char *letters = file ? ":hc:" : ":h", *given = NULL;
    int option;

    optind = 0; /* glibc: 0 makes getopt_long() reinitialise its state */
    opterr = 0; /* getopt_long() prints nothing; the messages below also say what to do */
    while ((option = getopt_long(argc, argv, letters, help_only, NULL)) != -1) {
        if (option == 'h')
            return OPTIONS_HELP;
        if (option == ':') {
            fprintf(stderr, "penstock %s: -c needs a file: penstock %s -c FILE\n", argv[0], argv[0]);
            return OPTIONS_WRONG;
        }
        if (option != 'c') {
            /* optind is already past a long option, but not past a group of short ones */
            if (optopt != 0 && strncmp(argv[optind - 1], "--", 2) != 0)
                fprintf(stderr, "penstock %s: unknown option -%c; see penstock %s --help\n", argv[0], optopt, argv[0]);
            else
                fprintf(stderr, "penstock %s: unknown option %s; see penstock %s --help\n", argv[0], argv[optind - 1], argv[0]);
            return OPTIONS_WRONG;
        }
        if (given) {
            fprintf(stderr, "penstock %s: -c is given twice; one file can include others\n", argv[0]);
            return OPTIONS_WRONG;
        }
        given = optarg;
    }
    if (optind < argc) {
        fprintf(stderr, "penstock %s: \"%s\" is not expected here%s\n", argv[0], argv[optind],
                file ? "; a configuration file is named with -c FILE" : "");
        return OPTIONS_WRONG;
    }
    if (file)
        *file = given ? given : OPTIONS_DEFAULT_FILE;
    return OPTIONS_GO;
}
