/* cli/cmd_drain.c: `penstock drain`: takes a backend out of service, and waits until it is empty. Main thread. */
#include <stdio.h>

#include "base/duration.h"
#include "cli/change.h"
#include "cli/commands.h"
#include "cli/drain_wait.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock drain POOL/BACKEND [--timeout TIME] [--wait TIME]\n"
    "\n"
    "Takes a backend out of service gently: it gets no new sessions, and its present ones continue.\n"
    "BACKEND alone suffices if only one pool has it. `penstock ready` puts it back.\n"
    "\n"
    "  --timeout TIME  close the sessions that are still open after TIME, such as 60s (drain_timeout; without it, that of the configuration)\n"
    "  --wait TIME     wait until no session is left, at most TIME, and print how many there are whenever that changes.\n"
    "                  Exit status 0: it is empty, or gone. 1: it was not empty in time; it stays in drain.\n"
    REMOTE_HELP "\n" REMOTE_EXITS;

/* Orders the drain. With a wait, `--json` prints only how that ended. */
static int drain_backend(struct remote *remote, const char *name, const char *timeout, const uint64_t *wait_ms)
{
    json_t *options = timeout ? json_pack("{s:s, s:s}", "state", "drain", "drain_timeout", timeout) : json_pack("{s:s}", "state", "drain"), *answer;
    struct find_backend found;
    int status = change_backend(remote, name, options, &found, &answer);

    if (status == 0 && !(wait_ms && remote->json))
        status = change_print(remote, answer);
    json_decref(answer);
    return status == 0 && wait_ms ? drain_wait(remote, &found, *wait_ms) : status;
}

int cmd_drain(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1], *timeout = NULL, *wait = NULL, *problem;
    const struct options_row rows[] = {REMOTE_ROWS(&remote), {0, "timeout", "TIME", &timeout, NULL}, {0, "wait", "TIME", &wait, NULL}};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL/BACKEND", 1, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);
    uint64_t wait_ms = 0;

    if (status == REMOTE_GO && wait && (problem = duration_parse(&wait_ms, wait)))
        status = remote_fail(&remote, 2, "--wait %s: %s", wait, problem);
    if (status == REMOTE_GO)
        status = drain_backend(&remote, operands[0], timeout, wait ? &wait_ms : NULL);
    remote_close(&remote);
    return status;
}
