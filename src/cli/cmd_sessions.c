/* cli/cmd_sessions.c: `penstock sessions`: lists sessions or UDP flows. Main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/member.h"
#include "cli/options.h"
#include "cli/remote.h"

static const char usage[] =
    "usage: penstock sessions [FILTER ...] [--sort age|idle|bytes] [--limit N] [--flows]\n"
    "\n"
    "Lists open sessions, the oldest first: number (as in the log), client, backend, age, time without bytes, and bytes from and to the client.\n"
    "`penstock kill` closes them.\n"
    "\n" FILTER_HELP
    "  --sort ORDER        age, idle or bytes: the largest first (age)\n"
    "  --limit N           at most N lines, 1 to 1000 (100)\n"
    "  --flows             UDP flows instead of sessions\n"
    "  --tcp-info          round-trip time and retransmits too; only with --json\n"
    REMOTE_HELP "\n" REMOTE_EXITS;

static void print_row(const json_t *row)
{
    char client[FORMAT_BYTES], backend[FORMAT_BYTES], age[FORMAT_BYTES], idle[FORMAT_BYTES], in[FORMAT_BYTES], out[FORMAT_BYTES], id[FORMAT_BYTES];
    const char *from = member_text(row, "client"); /* "": all clients share the flow */
    char name[160];

    if (json_is_string(json_object_get(row, "backend")))
        (void)snprintf(name, sizeof(name), "%s/%s", member_text(row, "pool"), member_text(row, "backend"));
    else
        (void)snprintf(name, sizeof(name), "%s/-", member_text(row, "pool")); /* none is selected yet */
    printf("%-10s %-21s %-17s %6s %6s %6s %6s\n", format_cut(member_text(row, "id"), 21, id), format_cut(*from ? from : "-", 21, client),
           format_cut(name, 17, backend), format_age(member_number(row, "age_ms") / 1000, age), format_age(member_number(row, "idle_ms") / 1000, idle),
           format_bytes(member_number(row, "bytes_in"), in), format_bytes(member_number(row, "bytes_out"), out));
}

/* Prints the rows, and what is missing among them. */
static void print_rows(const json_t *answer, const char *noun)
{
    const json_t *rows = json_object_get(answer, noun);
    json_int_t matched = json_integer_value(json_object_get(answer, "matched")), late = json_integer_value(json_object_get(answer, "late_workers"));
    size_t i;
    json_t *row;

    if (json_array_size(rows) > 0)
        printf("%-10s %-21s %-17s %6s %6s %6s %6s\n", "ID", "CLIENT", "BACKEND", "AGE", "IDLE", "IN", "OUT");
    json_array_foreach(rows, i, row)
        print_row(row);
    if (matched > (json_int_t)json_array_size(rows))
        printf("%zu of %" JSON_INTEGER_FORMAT " %s; see --limit\n", json_array_size(rows), matched, noun);
    else if (matched == 0)
        printf("no %s\n", noun);
    if (late > 0)
        printf("%" JSON_INTEGER_FORMAT " workers did not answer in time: their %s are missing\n", late, noun);
}

/* What to ask for besides the filter. */
struct wish {
    const char *sort, *limit;
    bool flows, tcp_info;
};

static int list_sessions(struct remote *remote, const struct filter *filter, const struct wish *wish)
{
    const char *noun = wish->flows ? "flows" : "sessions";
    char *path = remote_path("/v1/%s", noun);
    json_t *answer = NULL;
    int status = filter_add(remote, filter, &path);

    path = remote_add(path, "sort", wish->sort);
    path = remote_add(path, "limit", wish->limit);
    path = remote_add(path, "tcp_info", wish->tcp_info ? "1" : NULL);
    if (status == 0)
        status = remote_json(remote, "GET", path, NULL, &answer);
    if (status == 0 && remote->json)
        status = remote_print(remote, answer);
    else if (status == 0)
        print_rows(answer, noun);
    json_decref(answer);
    free(path);
    return status;
}

int cmd_sessions(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    struct filter filter = {0};
    struct wish wish = {0};
    const struct options_row rows[] = {
        REMOTE_ROWS(&remote),
        FILTER_ROWS(&filter),
        {0, "sort", "ORDER", &wish.sort, NULL},
        {0, "limit", "N", &wish.limit, NULL},
        {0, "flows", NULL, NULL, &wish.flows},
        {0, "tcp-info", NULL, NULL, &wish.tcp_info},
    };
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "", 0, 0};
    int status = remote_begin(&remote, argc, argv, &syntax, NULL);

    if (status == REMOTE_GO && wish.tcp_info && (wish.flows || !remote.json))
        status = remote_fail(&remote, 2, "--tcp-info goes with --json, and not with --flows");
    if (status == REMOTE_GO)
        status = list_sessions(&remote, &filter, &wish);
    remote_close(&remote);
    return status;
}
