/* cli/cmd_set.c: `penstock weight` and `penstock limit`: change how many sessions a backend gets. Main thread. */
#include <stdio.h>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char weight_usage[] =
    "usage: penstock weight POOL/BACKEND N\n"
    "\n"
    "Sets the weight of a backend, from 1 to 256: its share of new sessions in relation to the others of its pool.\n"
    "It lasts until Penstock is restarted; `penstock save` prints a configuration file that has it.\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

static const char limit_usage[] =
    "usage: penstock limit POOL/BACKEND N\n"
    "       penstock limit POOL/BACKEND off\n"
    "\n"
    "Sets how many sessions a backend may have at a time (max_connections). Present ones above it continue.\n"
    "It lasts until Penstock is restarted; `penstock save` prints a configuration file that has it.\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

/* Sets the option `member` of the backend to the second operand. */
static int run_option(int argc, char **argv, const char *member, const char *usage)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[2];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL/BACKEND N", 2, 2};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);
    struct find_backend found;
    json_t *answer = NULL;

    if (status == REMOTE_GO)
        status = change_backend(&remote, operands[0], json_pack("{s:s}", member, operands[1]), &found, &answer);
    if (status == 0 && answer)
        status = change_print(&remote, answer);
    json_decref(answer);
    remote_close(&remote);
    return status;
}

int cmd_set_weight(int argc, char **argv)
{
    return run_option(argc, argv, "weight", weight_usage);
}

int cmd_set_limit(int argc, char **argv)
{
    return run_option(argc, argv, "max_connections", limit_usage);
}
