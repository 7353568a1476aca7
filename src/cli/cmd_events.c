/* cli/cmd_events.c: `penstock events`: the last changes of health. Main thread. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/member.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock events [--since ID]\n"
    "\n"
    "Prints what the log said last about the health of backends and pools, at most 256 lines, the oldest first:\n"
    "    ID TIME POOL/BACKEND: TEXT\n"
    "\n"
    "  --since ID  only what came after the event with this ID\n"
    REMOTE_HELP "\n" REMOTE_EXITS;

static void print_event(const json_t *event)
{
    const char *backend = member_text(event, "backend");

    printf("%" JSON_INTEGER_FORMAT " %s %s%s%s: %s\n", json_integer_value(json_object_get(event, "id")), member_text(event, "time"),
           member_text(event, "pool"), *backend ? "/" : "", backend, member_text(event, "text"));
}

static int print_events(struct remote *remote, const char *since)
{
    char *path = remote_add(remote_path("/v1/events"), "since", since);
    json_t *answer, *event;
    int status = remote_json(remote, "GET", path, NULL, &answer);
    size_t i;

    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0 && json_array_size(json_object_get(answer, "events")) == 0)
        printf("no events\n");
    else if (status == 0)
        json_array_foreach(json_object_get(answer, "events"), i, event)
            print_event(event);
    json_decref(answer);
    free(path);
    return status;
}

int cmd_events(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *since = NULL;
    const struct options_row rows[] = {REMOTE_ROWS(&remote), {0, "since", "ID", &since, NULL}};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "", 0, 0};
    int status = remote_begin(&remote, argc, argv, &syntax, NULL);

    if (status == REMOTE_GO)
        status = print_events(&remote, since);
    remote_close(&remote);
    return status;
}
