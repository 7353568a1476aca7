/* cli/commands.h: the subcommands of penstock.
 *
 * Each function receives its own name as argv[0], runs on the main thread, and returns the exit status of the process: 0 success,
 * 1 failure, 2 wrong usage. It prints errors on standard error, one line each. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
