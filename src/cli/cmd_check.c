/* cli/cmd_check.c: `penstock check`: reads a configuration and says what would run, or all that is wrong with it.
 *
 * Main thread. Opens nothing but the files of the configuration, asks the kernel for the addresses of this machine, and needs no privileges. */
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
         "Checks the configuration in FILE (" OPTIONS_DEFAULT_FILE ") and prints what would run,\n"
         "or every error as \"file:line: message\"; a value that is probably not intended causes \"file:line: warning: message\".\n"
         "Exit status: 0 all is well or there are only warnings, 1 there are errors, 2 wrong usage.\n"
         "\n"
         "The keys of a configuration file; [defaults] takes any of [listener NAME] and [pool NAME] but bind, pool\n"
         "and backend. More in penstock.ini(5).");
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
