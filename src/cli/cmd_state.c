/* cli/cmd_state.c: `penstock ready` and `penstock maint`. Main thread. */
#include <stdio.h>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char ready_usage[] =
    "usage: penstock ready POOL/BACKEND\n"
    "\n"
    "Puts a backend back after a drain or maintenance: it gets new sessions as soon as its checks allow it.\n"
    "The --timeout of an earlier drain is forgotten. BACKEND alone suffices if only one pool has it.\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

static const char maint_usage[] =
    "usage: penstock maint POOL/BACKEND\n"
    "\n"
    "Takes a backend out of service at once: it gets no new sessions and is not checked. With `on_down = close` in its pool, its\n"
    "sessions are closed; otherwise they continue. BACKEND alone suffices if only one pool has it.\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

/* Orders `state`, and forgets the deadline of an earlier drain. */
static int run_order(int argc, char **argv, const char *state, const char *usage)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL/BACKEND", 1, 1};
    struct find_backend found;
    json_t *answer = NULL;
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = change_backend(&remote, operands[0], json_pack("{s:s, s:n}", "state", state, "drain_timeout"), &found, &answer);
    if (status == 0 && answer)
        status = change_print(&remote, answer);
    json_decref(answer);
    remote_close(&remote);
    return status;
}

int cmd_state_ready(int argc, char **argv)
{
    return run_order(argc, argv, "ready", ready_usage);
}

int cmd_state_maint(int argc, char **argv)
{
    return run_order(argc, argv, "maint", maint_usage);
}
