/* cli/cmd_run.c: `penstock run`: reads the configuration and serves until it is told to stop. Main thread. */
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
         "Serves in the foreground as FILE (" OPTIONS_DEFAULT_FILE ") says. TERM or INT stops: no more connections are accepted, those that\n"
         "are open have drain_timeout to end; a second one stops at once. USR1 opens the log files anew. Exit status: 0 after a clean\n"
         "stop, 1 when it could not start, 2 wrong usage.");
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
    status = control_run(config);
    config_free(config);
    return status;
}
