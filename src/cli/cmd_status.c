/* cli/cmd_status.c: `penstock status`: what a running Penstock does, at a glance. Main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/remote.h"
#include "cli/status_view.h"

static const char usage[] =
    "usage: penstock status [POOL]\n"
    "\n"
    "Shows the process, and each pool, or POOL alone, with its backends:\n"
    "  STATE       up; busy: probes time out, but its sessions move bytes; unchecked: nothing checks it; drain, maint: ordered so;\n"
    "              ejected: its sessions have failed; timed-out, down: its checks have failed; leaving: removed, with sessions left\n"
    "  SESS/LIMIT  open sessions and UDP flows, and max_connections\n"
    "  TOTAL       sessions and flows since the start; FAILED: those that failed by its fault, and connections that it did not take\n"
    "  CONN        median time to connect; FIRST: median time until its first byte\n"
    "  SINCE       how long it has been in this state; the reason is on the next line\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

/* Colours are for a person at a terminal who has not said no (no-color.org). */
static bool wants_colours(void)
{
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(off && *off != '\0') && terminal && strcmp(terminal, "dumb") != 0;
}

static int show_status(struct remote *remote, const char *pool)
{
    json_t *status = NULL, *pools = NULL;
    int result = remote_json(remote, "GET", "/v1/status", NULL, &status);

    if (result == 0)
        result = find_pools(remote, pool, &pools);
    if (result == 0 && remote->json) {
        result = json_object_set(pools, "status", status) == 0 ? remote_print(remote, pools) : remote_fail(remote, 1, "out of memory");
    } else if (result == 0) {
        if (!pool) {
            status_view_process(stdout, status);
            putchar('\n');
        }
        status_view_pools(stdout, pools, wants_colours());
    }
    json_decref(status);
    json_decref(pools);
    return result;
}

int cmd_status(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "[POOL]", 0, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = show_status(&remote, operands[0]);
    remote_close(&remote);
    return status;
}
