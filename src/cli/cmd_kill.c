/* cli/cmd_kill.c: `penstock kill`: closes sessions. Main thread. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock kill ID\n"
    "       penstock kill FILTER ...\n"
    "\n"
    "Closes one session by its number, as `penstock sessions` and the log show it, or all that match every FILTER. Both sides see a reset.\n"
    "New sessions are not affected: `penstock drain` or `maint` first, if they are to stay away from a backend.\n"
    "\n" FILTER_HELP REMOTE_HELP "\n" REMOTE_EXITS;

static int close_sessions(struct remote *remote, const char *id, const struct filter *filter)
{
    char *path = id ? remote_path("/v1/sessions/%s", id) : remote_path("/v1/sessions");
    json_t *answer = NULL;
    json_int_t closed;
    int status = filter_add(remote, filter, &path);

    if (status == 0)
        status = remote_json(remote, "DELETE", path, NULL, &answer);
    closed = json_integer_value(json_object_get(answer, "closed"));
    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0)
        printf("%" JSON_INTEGER_FORMAT " session%s closed\n", closed, closed == 1 ? "" : "s");
    json_decref(answer);
    free(path);
    return status;
}

int cmd_kill(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    struct filter filter = {0};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote), FILTER_ROWS(&filter)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "[ID]", 0, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO && !operands[0] == filter_is_empty(&filter))
        status = remote_fail(&remote, 2, "which sessions? Give either a number or at least one filter; see penstock kill --help");
    if (status == REMOTE_GO)
        status = close_sessions(&remote, operands[0], &filter);
    remote_close(&remote);
    return status;
}
