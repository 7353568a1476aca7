/* cli/cmd_removable.c: `penstock removable`: says by its exit status whether a backend's server can be switched off. Main thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock removable POOL/BACKEND\n"
    "\n"
    "Says whether the server of a backend can be switched off without anyone noticing.\n"
    "Exit status: 0 yes: it is drained, in maintenance or down, and has no session; or its pool has no such backend (any more).\n"
    "             1 no, or it could not be found out; 2 wrong usage; 3 nothing answers at the socket.\n"
    "\n"
    "BACKEND alone suffices if only one pool has it. Write POOL/BACKEND in scripts, because a backend that is gone is in no pool.\n"
    "\n" REMOTE_HELP;

/* Prints it as JSON; the state is null if there is no such backend. Returns the exit status. */
static int print_verdict(const struct remote *remote, const struct find_backend *found, const struct find_sum *sum, bool removable)
{
    json_t *json = json_pack("{s:s, s:s, s:b, s:I, s:s?}", "pool", found->pool, "backend", found->backend, "removable", removable,
                             "sessions", (json_int_t)sum->sessions, "state", sum->state);
    int status = json ? remote_print(remote, json) : remote_fail(remote, 1, "out of memory, or a name that is not UTF-8");

    json_decref(json);
    return status == 0 && removable ? 0 : 1;
}

/* Prints why it is removable or not. Returns the exit status. */
static int tell_verdict(const struct remote *remote, const struct find_backend *found, const struct find_sum *sum)
{
    bool removable = sum->idle == sum->count && sum->sessions == 0;

    if (remote->json)
        return print_verdict(remote, found, sum, removable);
    if (sum->count == 0)
        printf("%s/%s: removable: there is no such backend\n", found->pool, found->backend);
    else if (removable)
        printf("%s/%s: removable: state %s, no sessions\n", found->pool, found->backend, sum->state);
    else if (sum->idle < sum->count)
        printf("%s/%s: not removable: state %s, so it may get new sessions; it has %" PRIu64 " now (penstock drain %s/%s)\n", found->pool, found->backend,
               sum->state, sum->sessions, found->pool, found->backend);
    else
        printf("%s/%s: not removable: state %s, and still %" PRIu64 " session%s\n", found->pool, found->backend, sum->state, sum->sessions,
               sum->sessions == 1 ? "" : "s");
    return removable ? 0 : 1;
}

static int judge_backend(struct remote *remote, const char *name)
{
    struct find_backend found;
    struct find_sum sum;
    enum find_result result;
    json_t *answer;
    int status = remote_json(remote, "GET", "/v1/pools", NULL, &answer);

    if (status == 0) {
        result = find_in(answer, name, &found);
        sum = find_sum(answer, &found);
        if (result == FIND_DONE || (result == FIND_NO_BACKEND && found.backend[0] != '\0'))
            status = tell_verdict(remote, &found, &sum);
        else
            status = remote_fail(remote, 1, "%s", found.error);
    }
    json_decref(answer);
    return status;
}

int cmd_removable(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL/BACKEND", 1, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = judge_backend(&remote, operands[0]);
    remote_close(&remote);
    return status;
}
