/* cli/cmd_log_level.c: `penstock log-level`: changes what is logged. Main thread. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock log-level error|warn|info|debug\n"
    "\n"
    "Logs lines of this level and the more severe ones from now on, until Penstock is restarted.\n"
    "\n" REMOTE_HELP "\n" REMOTE_EXITS;

static int set_level(struct remote *remote, const char *level)
{
    json_t *body = json_pack("{s:s}", "level", level), *answer = NULL;
    int status = body ? remote_json(remote, "PUT", "/v1/log-level", body, &answer) : remote_fail(remote, 1, "out of memory, or a level that is not UTF-8");

    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0)
        printf("log_level = %s\n", level);
    json_decref(answer);
    json_decref(body);
    return status;
}

int cmd_log_level(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "LEVEL", 1, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = set_level(&remote, operands[0]);
    remote_close(&remote);
    return status;
}
