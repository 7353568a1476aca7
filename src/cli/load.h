/* cli/load.h: reads the configuration for a subcommand. Main thread. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

struct config;

/* Returns the configuration in `file`, which the caller frees with config_free(). On failure prints every error on standard error, one
 * "file:line: message" a line, and returns NULL. `command` is the subcommand's name, for an error that is not in the file. */
struct config *cli_load(const char *command, const char *file);

#endif
