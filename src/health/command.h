/* health/command.h: starts a program for a probe, and ends it. Health thread only; the caller owns the process and the descriptors.
 *
 * The program gets: standard input from /dev/null, one pipe for standard output and error, no other descriptor, the working directory "/", the default
 * action for all signals, none of them blocked, a process group of its own, and an environment of five variables. It runs as the user of this process. */
#ifndef HEALTH_COMMAND_H
#define HEALTH_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"

enum { COMMAND_BYTES_MAX = 1024 };

struct command {
    pid_t pid;   /* also its process group */
    int exited;  /* pidfd: readable when the process has ended */
    int output;  /* pipe, not blocking */
};

struct command_request {
    const char *line;       /* absolute path and arguments, separated by blanks; at most COMMAND_BYTES_MAX bytes */
    const char *pool;       /* PENSTOCK_POOL */
    const char *backend;    /* PENSTOCK_BACKEND */
    const struct addr *addr; /* PENSTOCK_ADDRESS and PENSTOCK_PORT; the path and no port for a UNIX socket */
};

/* Makes sure that the kernel keeps ended processes until they are collected, even if this process has inherited that SIGCHLD is ignored. */
void command_prepare(void);

/* Starts the program. Blocks until it is loaded from disk (posix_spawn(3)). Returns 0, or a positive errno. `*is_program` is then whether the errno is about
 * the program, such as ENOENT or EACCES, and not about this process. */
int command_start(struct command *out, const struct command_request *request, bool *is_program);

/* Kills the program and all of its group that is left. */
void command_kill(const struct command *command);

/* Collects the program. Returns whether it had ended, and its status as of waitpid(2). If so, kills what is left of its group, and closes the descriptors. */
bool command_collect(struct command *command, int *status);

/* Closes the descriptors of a program that was not collected. */
void command_close(struct command *command);

#endif
