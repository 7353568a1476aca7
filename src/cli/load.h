/* cli/load.h: reads the configuration for a subcommand. Main thread. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

struct config;

/* The configuration in `file`, to be freed with config_free(); or NULL, after every error was printed on standard error as
 * "file:line: message", one line each. `command` names the subcommand where it is its own error. */
struct config *cli_load(const char *command, const char *file);

#endif
