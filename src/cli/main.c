/* cli/main.c: the table of subcommands. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "config/suggest.h"

/* The groups of `penstock --help`, in its order. */
enum group { GROUP_RUN, GROUP_SEE, GROUP_BACKENDS, GROUP_PROCESS, GROUPS };

static const char *const group_titles[GROUPS] = {
    [GROUP_RUN] = NULL,
    [GROUP_SEE] = "See what a running Penstock does",
    [GROUP_BACKENDS] = "Change its backends",
    [GROUP_PROCESS] = "Other changes",
};

static const struct {
    const char *name;
    int (*function)(int argc, char **argv);
    enum group group;
    const char *form, *help;
} commands[] = {
    {"run", cmd_run, GROUP_RUN, "[-c FILE]", "run in the foreground"},
    {"check", cmd_check, GROUP_RUN, "[-c FILE]", "print the resulting configuration, or every error; check --help lists every key"},
    {"version", cmd_version, GROUP_RUN, "", "print versions, and the engines that this kernel offers"},
    {"status", cmd_status, GROUP_SEE, "[POOL]", "pools and backends: states, sessions, failures, times"},
    {"top", cmd_top, GROUP_SEE, "", "the same, live, on a terminal; drain a backend from there"},
    {"sessions", cmd_sessions, GROUP_SEE, "[FILTER ...]", "open sessions or UDP flows"},
    {"events", cmd_events, GROUP_SEE, "", "the last changes of health"},
    {"removable", cmd_removable, GROUP_SEE, "BACKEND", "exit status 0: its server can be switched off"},
    {"drain", cmd_drain, GROUP_BACKENDS, "BACKEND [--wait 60s]", "no new sessions; wait until it has none"},
    {"ready", cmd_state_ready, GROUP_BACKENDS, "BACKEND", "put it back"},
    {"maint", cmd_state_maint, GROUP_BACKENDS, "BACKEND", "take it out at once"},
    {"weight", cmd_set_weight, GROUP_BACKENDS, "BACKEND N", "its share of new sessions"},
    {"limit", cmd_set_limit, GROUP_BACKENDS, "BACKEND N|off", "how many sessions it may have"},
    {"backend", cmd_backend, GROUP_BACKENDS, "add|remove ...", "add a backend to a pool, or remove it"},
    {"kill", cmd_kill, GROUP_PROCESS, "ID|FILTER ...", "close sessions"},
    {"log-level", cmd_log_level, GROUP_PROCESS, "LEVEL", "log more or less"},
    {"save", cmd_save, GROUP_PROCESS, "[FILE]", "write the configuration in force, with these changes"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void show_usage(FILE *out)
{
    fprintf(out, "usage: penstock COMMAND\n");
    for (int group = 0; group < GROUPS; group++) {
        fprintf(out, group_titles[group] ? "\n%s:\n" : "\n", group_titles[group]);
        for (size_t i = 0; i < COMMANDS; i++)
            if (commands[i].group == (enum group)group)
                fprintf(out, "  %-9s %-20s  %s\n", commands[i].name, commands[i].form, commands[i].help);
    }
    fprintf(out, "\nBACKEND is POOL/NAME, or NAME if only one pool has it. `penstock COMMAND --help` says more. The default FILE is\n"
                 OPTIONS_DEFAULT_FILE ". See penstock(8) and penstock.ini(5).\n");
}

static int unknown_command(const char *name)
{
    struct suggest suggest = {0};
    for (size_t i = 0; i < COMMANDS; i++)
        suggest_offer(&suggest, name, commands[i].name);
    if (suggest.nearest)
        fprintf(stderr, "penstock: unknown command \"%s\"; did you mean \"%s\"?\n", name, suggest.nearest);
    else
        fprintf(stderr, "penstock: unknown command \"%s\"; see penstock --help\n", name);
    return 2;
}

/* Output that could not be written makes the command fail, for example `penstock check >report` on a full disk. */
static int flush_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "penstock: cannot write to standard output: %s\n", strerror(errno));
    return status == 0 ? 1 : status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!descriptors_open_standard("penstock"))
        return 1;
    if (!name) {
        fprintf(stderr, "penstock: no command; run, check and status are the first to know (see penstock --help)\n");
        return 2;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        show_usage(stdout);
        return flush_output(0);
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return flush_output(commands[i].function(argc - 1, argv + 1));
    return unknown_command(name);
}
