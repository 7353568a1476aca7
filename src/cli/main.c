/* cli/main.c: the table of subcommands. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "config/suggest.h"

static const struct {
    const char *name;
    int (*function)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "run [-c FILE]     run in the foreground"},
    {"check", cmd_check, "check [-c FILE]   print the resulting configuration, or every error in FILE; check --help lists every key"},
    {"version", cmd_version, "version           print versions, and the engines that this kernel offers"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void show_usage(FILE *out)
{
    fprintf(out, "usage: penstock COMMAND\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s\n", commands[i].help);
    fprintf(out, "\nThe default FILE is " OPTIONS_DEFAULT_FILE ". See penstock(8) and penstock.ini(5).\n");
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
        fprintf(stderr, "penstock: no command; there are run, check and version (see penstock --help)\n");
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
