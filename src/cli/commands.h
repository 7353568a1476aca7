/* cli/commands.h: the subcommands of penstock.
 *
 * Each function receives its own name as argv[0], runs on the main thread, and returns the exit status of the process: 0 success,
 * 1 failure, 2 wrong usage, 3 nothing answers at the admin socket. It prints errors on standard error, one line each. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_sessions(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_removable(int argc, char **argv);
int cmd_state_ready(int argc, char **argv);
int cmd_state_maint(int argc, char **argv);
int cmd_set_weight(int argc, char **argv);
int cmd_set_limit(int argc, char **argv);
int cmd_backend(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_log_level(int argc, char **argv);
int cmd_save(int argc, char **argv);

#endif
