/* cli/cmd_backend.c: `penstock backend add` and `penstock backend remove`. Main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock backend add POOL NAME ADDRESS [OPTION ...]\n"
    "       penstock backend remove POOL/BACKEND\n"
    "\n"
    "add: the backend gets sessions as soon as its checks allow it. ADDRESS is written as in the configuration file, such as 10.0.0.3:8001.\n"
    "remove: the backend gets no new sessions; its present ones continue until drain_timeout, and then it is gone.\n"
    "Both last until Penstock is restarted; `penstock save` prints a configuration file that has them.\n"
    "\n"
    "  --weight N            its share of new sessions, 1 to 256 (1)\n"
    "  --max-connections N   open sessions at most, or off (off)\n"
    "  --state STATE         ready, drain or maint (ready)\n"
    "  --drain-timeout TIME  of this backend, such as 60s, or off\n"
    "  --check-port N        port that is checked\n"
    "  --agent-port N        port of its agent\n"
    "  --backup              gets sessions only while no other backend is usable\n"
    REMOTE_HELP "\n" REMOTE_EXITS;

/* The members of the body that are texts. */
enum { NAME, ADDRESS, WEIGHT, MAX_CONNECTIONS, STATE, DRAIN_TIMEOUT, CHECK_PORT, AGENT_PORT, MEMBERS };

static const char *const member_names[MEMBERS] = {"name", "address", "weight", "max_connections", "state", "drain_timeout", "check_port", "agent_port"};

/* Makes the body of the request; NULL values are left out. Returns NULL if out of memory, or if a value is not UTF-8. */
static json_t *make_body(const char *const values[MEMBERS], bool backup)
{
    json_t *body = json_object();

    for (int i = 0; i < MEMBERS; i++)
        if (values[i] && json_object_set_new(body, member_names[i], json_string(values[i])) != 0)
            goto fail;
    if (!backup || json_object_set_new(body, "backup", json_true()) == 0)
        return body;

fail:
    json_decref(body);
    return NULL;
}

static int add_backend(struct remote *remote, const char *pool, const char *const values[MEMBERS], bool backup)
{
    json_t *pools = NULL, *answer = NULL, *body = make_body(values, backup);
    char *path = remote_path("/v1/pools/%s/backends", pool);
    int status = body ? find_pools(remote, pool, &pools) : remote_fail(remote, 1, "out of memory, or a value that is not UTF-8");

    if (status == 0) /* The pool is there. If it were not, the message above would have suggested another one. */
        status = remote_json(remote, "POST", path, body, &answer);
    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0)
        printf("%s/%s: added\n", pool, values[NAME]);
    json_decref(pools);
    json_decref(answer);
    json_decref(body);
    free(path);
    return status;
}

static int run_add(int argc, char **argv)
{
    const char *values[MEMBERS] = {0}, *operands[3];
    struct remote remote = {.command = "backend add"};
    bool backup = false;
    const struct options_row rows[] = {
        REMOTE_ROWS(&remote),
        {0, "weight", "N", &values[WEIGHT], NULL},
        {0, "max-connections", "N", &values[MAX_CONNECTIONS], NULL},
        {0, "state", "STATE", &values[STATE], NULL},
        {0, "drain-timeout", "TIME", &values[DRAIN_TIMEOUT], NULL},
        {0, "check-port", "N", &values[CHECK_PORT], NULL},
        {0, "agent-port", "N", &values[AGENT_PORT], NULL},
        {0, "backup", NULL, NULL, &backup},
    };
    const struct options_syntax syntax = {remote.command, usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL NAME ADDRESS", 3, 3};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO) {
        values[NAME] = operands[1];
        values[ADDRESS] = operands[2];
        status = add_backend(&remote, operands[0], values, backup);
    }
    remote_close(&remote);
    return status;
}

static int remove_backend(struct remote *remote, const char *name)
{
    struct find_backend found;
    json_t *answer = NULL;
    int status = find_by_name(remote, name, &found);
    char *path = status == 0 ? remote_path("/v1/pools/%s/backends/%s", found.pool, found.backend) : NULL;

    if (status == 0)
        status = remote_json(remote, "DELETE", path, NULL, &answer);
    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0)
        printf("%s/%s: removed\n", found.pool, found.backend);
    json_decref(answer);
    free(path);
    return status;
}

static int run_remove(int argc, char **argv)
{
    struct remote remote = {.command = "backend remove"};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_ROWS(&remote)};
    const struct options_syntax syntax = {remote.command, usage, rows, sizeof(rows) / sizeof(rows[0]), "POOL/BACKEND", 1, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = remove_backend(&remote, operands[0]);
    remote_close(&remote);
    return status;
}

int cmd_backend(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "add") == 0)
        return run_add(argc - 1, argv + 1);
    if (strcmp(what, "remove") == 0)
        return run_remove(argc - 1, argv + 1);
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
        puts(usage);
        return 0;
    }
    fprintf(stderr, "penstock backend: write penstock backend add POOL NAME ADDRESS, or penstock backend remove POOL/BACKEND\n");
    return 2;
}
