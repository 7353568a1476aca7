/* cli/cmd_check.c: `penstock check`: prints the configuration that results from a file, or every error in it.
 *
 * Main thread. It opens only the files of the configuration, asks the kernel for the addresses of this machine, and needs no privileges. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/load.h"
#include "cli/options.h"
#include "config/config.h"
#include "config/show.h"

static void show_usage(void)
{
    puts("usage: penstock check [-c FILE]\n"
         "\n"
         "Checks the configuration in FILE (" OPTIONS_DEFAULT_FILE ") and prints the result,\n"
         "or every error as \"file:line: message\". A value that is probably not intended causes \"file:line: warning: message\".\n"
         "Exit status: 0 without errors (warnings do not count), 1 with errors, 2 wrong usage.\n"
         "\n"
         "These are the keys of a configuration file. [defaults] takes any key of [listener NAME] and [pool NAME] except\n"
         "bind, pool and backend. See penstock.ini(5) for more.");
    config_show_keys(stdout);
}

int cmd_check(int argc, char **argv)
{
    const char *file;
    enum options_result result = options_parse(argc, argv, &file);
    struct config *config;

    if (result == OPTIONS_HELP)
        show_usage();
    if (result != OPTIONS_GO)
        return result == OPTIONS_HELP ? 0 : 2;
    config = cli_load(argv[0], file);
    if (!config)
        return 1;
    config_show(config, stdout);
    fflush(stdout);
    for (size_t i = 0; i < config->warning_count; i++)
        fprintf(stderr, "%s\n", config->warnings[i]);
    printf("\n%s: ok\n", file);
    config_free(config);
    return 0;
}
