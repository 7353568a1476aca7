/* cli/commands.h: the subcommands of penstock.
 *
 * Each is given its own name as argv[0], runs on the main thread, and returns the exit status of the process: 0 done, 1 refused or
 * failed, 2 wrong usage. Errors go to standard error, one line each. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
