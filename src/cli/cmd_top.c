/* cli/cmd_top.c: `penstock top`: a live view of a running Penstock, from which a backend can be drained or given another weight. Main thread.
 *
 * It asks the admin socket once a second. If nothing answers, it says so and goes on asking, so that it survives a restart. An order goes to the backend that
 * was selected when its key was pressed, by name: rows may move at any time. */
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/member.h"
#include "cli/options.h"
#include "cli/remote.h"
#include "cli/top_model.h"
#include "cli/top_view.h"

static const char usage[] =
    "usage: penstock top\n"
    "\n"
    "Shows pools, backends, workers and health events of a running Penstock, once a second. Rates and times are those of the last second;\n"
    "CONN is the mean time to connect to the backend, FIRST the mean time to its first byte.\n"
    "\n"
    "  up, down    select a backend\n"
    "  d, m, r     drain it, put it into maintenance, make it ready again\n"
    "  + -         change its weight\n"
    "  s           sort by another column\n"
    "  q           quit\n"
    "\n"
    REMOTE_SOCKET_HELP "\n"
    "Exit status: 0 after q, 1 if it cannot run on this terminal, 2 wrong usage. If nothing answers, it waits.";

enum { CALL_MS = 2000, ORDER_MS = 5000, WEIGHT_MAX = 256 };
#define PERIOD_NS UINT64_C(1000000000)
#define MESSAGE_NS UINT64_C(8000000000) /* how long the result of an order is shown */

struct top {
    struct client *client;
    struct top_model model;
    struct top_view view;
    uint64_t last_event;       /* id of the newest event that is shown */
    uint64_t refresh_ns;       /* when to ask again */
    uint64_t message_until_ns; /* when the message goes; 0: it stays */
    char asked_pool[256], asked_backend[256]; /* to drain or to stop, once this is confirmed */
    const char *asked_state;   /* NULL: nothing is asked */
};

/* ---- asking ---- */

static bool ask_api(struct top *top, const char *path, json_t **json)
{
    struct client_answer answer;
    enum client_result result = client_call(top->client, "GET", path, NULL, CALL_MS, &answer);

    *json = result == CLIENT_DONE ? json_incref(answer.json) : NULL;
    client_answer_clear(&answer);
    return *json != NULL;
}

static void take_events(struct top *top)
{
    char path[64];
    json_t *answer, *event;
    size_t i;

    (void)snprintf(path, sizeof(path), "/v1/events?since=%llu", (unsigned long long)top->last_event);
    if (!ask_api(top, path, &answer))
        return;
    json_array_foreach(json_object_get(answer, "events"), i, event) {
        const char *when = member_text(event, "time"), *backend = member_text(event, "backend");
        char *text;

        top->last_event = (uint64_t)json_integer_value(json_object_get(event, "id"));
        if (asprintf(&text, "%.8s  %s%s%s: %s", strlen(when) > 19 ? when + 11 : when, /* the time of the day */
                     member_text(event, "pool"), *backend ? "/" : "", backend, member_text(event, "text")) >= 0)
            top_view_add_event(&top->view, text);
    }
    json_decref(answer);
}

/* Keeps the selection on its backend although the rows are new. */
static void select_again(struct top *top, const char *pool, const char *backend)
{
    for (size_t i = 0; i < top->model.row_count; i++) {
        const struct top_row *row = &top->model.rows[i];

        if (row->backend && strcmp(row->pool, pool) == 0 && strcmp(row->backend, backend) == 0)
            top->view.selected = i;
    }
    top_view_move(&top->view, &top->model, 0);
}

static const struct top_row *selected_row(const struct top *top)
{
    const struct top_row *row = top->view.selected < top->model.row_count ? &top->model.rows[top->view.selected] : NULL;

    return row && row->backend ? row : NULL;
}

static void copy_name(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

static void refresh_all(struct top *top)
{
    struct top_answers answers = {0};
    char pool[256] = "", backend[256] = "";
    const struct top_row *row = selected_row(top);
    uint64_t started_ns = clock_now_ns();
    bool restarted;

    if (row) {
        copy_name(pool, sizeof(pool), row->pool);
        copy_name(backend, sizeof(backend), row->backend);
    }
    top->refresh_ns = started_ns + PERIOD_NS;
    top->view.unreachable = !ask_api(top, "/v1/status", &answers.status) || !ask_api(top, "/v1/pools", &answers.pools) ||
                            !ask_api(top, "/v1/workers", &answers.workers) || !ask_api(top, "/v1/listeners", &answers.listeners);
    if (top->view.unreachable) {
        json_decref(answers.status);
        json_decref(answers.pools);
        json_decref(answers.workers);
        json_decref(answers.listeners);
        return;
    }
    restarted = top->model.taken_ns && !top_model_is_from(&top->model, answers.status);
    if (top_model_take(&top->model, &answers, started_ns) < 0)
        return;
    if (restarted) {
        top_view_forget_events(&top->view);
        top->last_event = 0;
    }
    top_model_sort(&top->model, top->view.order);
    select_again(top, pool, backend);
    take_events(top);
}

/* ---- ordering ---- */

static void show_message(struct top *top, const char *text, bool stays)
{
    copy_name(top->view.message, sizeof(top->view.message), text);
    top->message_until_ns = stays ? 0 : clock_now_ns() + MESSAGE_NS;
}

/* Sends an order for a backend, and shows how it went. Takes `change` over. */
static void give_order(struct top *top, const char *pool, const char *backend, json_t *change, const char *done)
{
    char *path = remote_path("/v1/pools/%s/backends/%s", pool, backend);
    struct client_answer answer = {.error = "out of memory"};
    char text[sizeof(top->view.message)];

    if (change && path && client_call(top->client, "PATCH", path, change, ORDER_MS, &answer) == CLIENT_DONE)
        (void)snprintf(text, sizeof(text), "%.100s/%.100s: %s", pool, backend, done);
    else
        (void)snprintf(text, sizeof(text), "%.100s/%.100s: not done: %s", pool, backend, answer.error);
    show_message(top, text, false);
    client_answer_clear(&answer);
    json_decref(change);
    free(path);
    top->refresh_ns = 0; /* show the result at once */
}

/* Asks whether to take a backend out of service. */
static void ask_for_state(struct top *top, const char *state)
{
    const struct top_row *row = selected_row(top);
    char text[sizeof(top->view.message)];

    if (!row)
        return;
    copy_name(top->asked_pool, sizeof(top->asked_pool), row->pool);
    copy_name(top->asked_backend, sizeof(top->asked_backend), row->backend);
    top->asked_state = state;
    (void)snprintf(text, sizeof(text), "%s %s/%s, which has %llu open sessions? y/n", strcmp(state, "drain") == 0 ? "drain" : "put into maintenance:",
                   row->pool, row->backend, (unsigned long long)row->sessions);
    show_message(top, text, true);
}

static void answer_question(struct top *top, int key)
{
    const char *state = top->asked_state;

    top->asked_state = NULL;
    show_message(top, "", true);
    if (key == 'y' || key == 'Y')
        give_order(top, top->asked_pool, top->asked_backend, json_pack("{s:s}", "state", state),
              strcmp(state, "drain") == 0 ? "draining: no new sessions; r takes it back" : "in maintenance; r takes it back");
}

static void make_ready(struct top *top)
{
    const struct top_row *row = selected_row(top);

    if (row)
        give_order(top, row->pool, row->backend, json_pack("{s:s}", "state", "ready"), "ready");
}

static void change_weight(struct top *top, int step)
{
    const struct top_row *row = selected_row(top);
    long long weight = row ? (long long)row->weight + step : 0;
    char done[32];

    if (!row || weight < 1 || weight > WEIGHT_MAX)
        return;
    (void)snprintf(done, sizeof(done), "weight %lld", weight);
    give_order(top, row->pool, row->backend, json_pack("{s:I}", "weight", (json_int_t)weight), done);
}

static void change_order(struct top *top)
{
    static const char *const names[TOP_ORDERS] = {"as configured", "by open sessions", "by new sessions", "by time to the first byte", "by failures"};

    top->view.order = (top->view.order + 1) % TOP_ORDERS;
    show_message(top, names[top->view.order], false);
    top->refresh_ns = 0;
}

/* Returns false to quit. */
static bool take_key(struct top *top, int key)
{
    if (top->asked_state && key != ERR && key != KEY_RESIZE) {
        answer_question(top, key);
        return true;
    }
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case KEY_UP:
    case 'k':
        top_view_move(&top->view, &top->model, -1);
        break;
    case KEY_DOWN:
    case 'j':
        top_view_move(&top->view, &top->model, 1);
        break;
    case KEY_PPAGE:
        top_view_move(&top->view, &top->model, -10);
        break;
    case KEY_NPAGE:
        top_view_move(&top->view, &top->model, 10);
        break;
    case 'd':
        ask_for_state(top, "drain");
        break;
    case 'm':
        ask_for_state(top, "maint");
        break;
    case 'r':
        make_ready(top);
        break;
    case '+':
        change_weight(top, 1);
        break;
    case '-':
        change_weight(top, -1);
        break;
    case 's':
        change_order(top);
        break;
    case KEY_RESIZE:
        top_view_move(&top->view, &top->model, 0);
        break;
    }
    return true;
}

static void run_screen(struct top *top)
{
    int key;

    do {
        uint64_t now_ns = clock_now_ns();

        if (now_ns >= top->refresh_ns)
            refresh_all(top);
        if (top->message_until_ns && now_ns >= top->message_until_ns)
            show_message(top, "", true);
        top_view_draw(&top->view, &top->model);
        key = getch(); /* waits for a tenth of a second */
        if (key == ERR && !isatty(STDIN_FILENO))
            return; /* the terminal is gone */
    } while (take_key(top, key));
}

int cmd_top(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const struct options_row rows[] = {REMOTE_SOCKET_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "", 0, 0};
    int status = remote_begin(&remote, argc, argv, &syntax, NULL);
    struct top top = {0};

    if (status == REMOTE_GO && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        status = remote_fail(&remote, 1, "this is not a terminal; for scripts, there is: penstock status --json");
    if (status == REMOTE_GO && top_view_open() < 0)
        status = remote_fail(&remote, 1, "the terminal \"%s\" is not known; set TERM", getenv("TERM") ? getenv("TERM") : "");
    if (status == REMOTE_GO) {
        top.client = remote.client;
        top.view.socket = client_socket(remote.client);
        run_screen(&top);
        top_view_close();
        status = 0;
    }
    top_view_forget_events(&top.view);
    top_model_clear(&top.model);
    remote_close(&remote);
    return status;
}
