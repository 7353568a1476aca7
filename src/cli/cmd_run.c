/* cli/cmd_run.c: `penstock run`: reads the configuration and runs until a signal stops it. Main thread. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/load.h"
#include "cli/options.h"
#include "config/config.h"
#include "control/control.h"

static void show_usage(void)
{
    puts("usage: penstock run [-c FILE]\n"
         "\n"
         "Runs in the foreground with the configuration in FILE (" OPTIONS_DEFAULT_FILE ").\n"
         "TERM or INT stops it: no more connections are accepted, and open connections have drain_timeout to end. A second signal\n"
         "closes them at once. USR1 reopens the log files.\n"
         "Exit status: 0 after a normal stop, 1 if it could not start, 2 wrong usage.");
}

int cmd_run(int argc, char **argv)
{
    const char *file;
    enum options_result result = options_parse(argc, argv, &file);
    struct config *config;
    int status;

    if (result == OPTIONS_HELP)
        show_usage();
    if (result != OPTIONS_GO)
        return result == OPTIONS_HELP ? 0 : 2;
    config = cli_load(argv[0], file);
    if (!config)
        return 1;
    status = control_run(config, file);
    config_free(config);
    return status;
}
