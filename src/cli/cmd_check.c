/* cli/cmd_check.c: `penstock check`: reads a configuration and says what would run, or all that is wrong with it.
 *
 * Main thread. Opens nothing but the files of the configuration, and needs no privileges. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

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
         "or every error as \"file:line: message\". Exit status: 0 all is well, 1 there are errors, 2 wrong usage.\n"
         "\n"
         "The keys of a configuration file; [defaults] takes any of [listener NAME] and [pool NAME] but bind, pool\n"
         "and backend. More in penstock.ini(5).");
    config_show_keys(stdout);
}

static void warn_about_unused_pools(const struct config *config, const char *file)
{
    bool *used = calloc(config->pool_count, sizeof(*used));

    for (size_t l = 0; used && l < config->listener_count; l++)
        used[config->listeners[l].pool] = true;
    for (size_t p = 0; used && p < config->pool_count; p++) {
        if (!used[p])
            fprintf(stderr, "%s: warning: pool \"%s\" is not used by any listener\n", file, config->pools[p].name);
    }
    free(used);
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
    warn_about_unused_pools(config, file);
    printf("\n%s: ok\n", file);
    config_free(config);
    return 0;
}
