/* health/command.c: starts and ends the programs of probes. Health thread; owns nothing. */
#include "health/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { VARIABLES = 5, VARIABLE_BYTES = 160, FIRST_OTHER_DESCRIPTOR = 3 };

/* What posix_spawn() needs besides the path. */
struct spawn {
    char line[COMMAND_BYTES_MAX + 1];
    char *arguments[COMMAND_BYTES_MAX / 2 + 2];
    char texts[VARIABLES][VARIABLE_BYTES];
    char *environment[VARIABLES + 1];
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
};

void command_prepare(void)
{
    (void)signal(SIGCHLD, SIG_DFL);
}

static void split_line(struct spawn *spawn, const char *line)
{
    size_t count = 0;
    char *rest;

    snprintf(spawn->line, sizeof(spawn->line), "%s", line);
    for (char *word = strtok_r(spawn->line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
        spawn->arguments[count++] = word;
    spawn->arguments[count] = NULL;
}

static void set_environment(struct spawn *spawn, const struct command_request *request)
{
    char text[ADDR_TEXT_BYTES], port[16] = "", *host = text, *colon;

    addr_format(request->addr, text, sizeof(text));
    colon = strrchr(text, ':');
    if (addr_family(request->addr) == AF_UNIX) { /* unix:/path */
        host = strchr(text, ':') + 1;
    } else {
        snprintf(port, sizeof(port), "%s", colon + 1);
        *colon = '\0';
        if (*host == '[') {
            host++;
            colon[-1] = '\0';
        }
    }
    snprintf(spawn->texts[0], VARIABLE_BYTES, PATH);
    snprintf(spawn->texts[1], VARIABLE_BYTES, "PENSTOCK_POOL=%s", request->pool);
    snprintf(spawn->texts[2], VARIABLE_BYTES, "PENSTOCK_BACKEND=%s", request->backend);
    snprintf(spawn->texts[3], VARIABLE_BYTES, "PENSTOCK_ADDRESS=%s", host);
    snprintf(spawn->texts[4], VARIABLE_BYTES, "PENSTOCK_PORT=%s", port);
    for (int i = 0; i < VARIABLES; i++)
        spawn->environment[i] = spawn->texts[i];
    spawn->environment[VARIABLES] = NULL;
}

/* Threads of this process block all signals, and a new process would inherit that. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    int error;

    sigfillset(&all);
    sigemptyset(&none);
    error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    return error;
}

static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_OTHER_DESCRIPTOR);
    if (error == 0)
        error = posix_spawn_file_actions_addchdir_np(actions, "/");
    return error;
}

/* Runs the program with `output` as its output. Returns 0 or a positive errno. */
static int spawn_program(struct command *out, const struct command_request *request, int output)
{
    struct spawn spawn;
    int error;

    split_line(&spawn, request->line);
    set_environment(&spawn, request);
    error = posix_spawnattr_init(&spawn.attributes);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_init(&spawn.actions);
    if (error == 0) {
        error = set_attributes(&spawn.attributes);
        if (error == 0)
            error = set_actions(&spawn.actions, output);
        if (error == 0)
            error = posix_spawn(&out->pid, spawn.arguments[0], &spawn.actions, &spawn.attributes, spawn.arguments, spawn.environment);
        (void)posix_spawn_file_actions_destroy(&spawn.actions);
    }
    (void)posix_spawnattr_destroy(&spawn.attributes);
    return error;
}

static bool is_about_program(int error)
{
    return error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR || error == EISDIR || error == ELOOP || error == ETXTBSY;
}

int command_start(struct command *out, const struct command_request *request, bool *is_program)
{
    int ends[2], error;

    *is_program = false;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *out = (struct command){.output = ends[0]};
    error = spawn_program(out, request, ends[1]);
    *is_program = is_about_program(error);
    (void)close(ends[1]);
    if (error == 0) {
        out->exited = pidfd_open(out->pid, 0);
        if (out->exited >= 0)
            return 0;
        error = errno;
        (void)kill(-out->pid, SIGKILL);
        (void)waitpid(out->pid, NULL, 0); /* it was killed, so it ends at once */
    }
    (void)close(ends[0]);
    return error;
}

void command_kill(const struct command *command)
{
    (void)kill(-command->pid, SIGKILL); /* fails if nothing is left */
}

bool command_collect(struct command *command, int *status)
{
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)command->exited, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return false;
    command_kill(command); /* before the process is collected: until then, its number is not used for another group */
    if (waitpid(command->pid, status, 0) != command->pid)
        return false;
    command_close(command);
    return true;
}

void command_close(struct command *command)
{
    (void)close(command->exited);
    (void)close(command->output);
}
