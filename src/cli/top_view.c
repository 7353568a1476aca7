/* cli/top_view.c: the screen of `penstock top`, drawn with ncurses. Main thread; owned by cli/cmd_top.c.
 *
 *      a line about the process, one about its traffic, one about its workers
 *      the pools and their backends: all rows that remain
 *      the newest health events
 *      the keys, or the result of the last order */
#include "cli/top_view.h"

#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"

enum { HEAD_LINES = 4, EVENT_LINES = 5, FOOT_LINES = 1, TABLE_LINES_MIN = 4 };
enum colour { PLAIN, GOOD, BUSY, BAD, QUIET };

static const struct {
    const char *state;
    enum colour colour;
} colours[] = {
    {"up", GOOD}, {"unchecked", GOOD}, {"busy", BUSY}, {"down", BAD}, {"timed-out", BAD}, {"ejected", BAD}, {"drain", QUIET}, {"maint", QUIET},
    {"leaving", QUIET},
};

int top_view_open(void)
{
    if (!newterm(NULL, stdout, stdin)) /* unlike initscr(), it does not end the process if the terminal is unknown */
        return -1;
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)curs_set(0);
    timeout(100);
    if (has_colors() && start_color() == OK) {
        short background = use_default_colors() == OK ? -1 : COLOR_BLACK, foreground = background < 0 ? -1 : COLOR_WHITE;

        (void)init_pair(PLAIN + 1, foreground, background);
        (void)init_pair(GOOD + 1, COLOR_GREEN, background);
        (void)init_pair(BUSY + 1, COLOR_YELLOW, background);
        (void)init_pair(BAD + 1, COLOR_RED, background);
        (void)init_pair(QUIET + 1, COLOR_CYAN, background);
    }
    return 0;
}

void top_view_close(void)
{
    (void)endwin();
}

/* ---- drawing ---- */

/* Writes one line, cut at the width of the terminal. */
static void __attribute__((format(printf, 2, 3))) put_line(int y, const char *format, ...)
{
    char text[1024];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    (void)mvaddnstr(y, 0, text, COLS);
    (void)clrtoeol();
}

static void draw_head(const struct top_view *view, const struct top_model *model)
{
    char age[FORMAT_BYTES], news[FORMAT_BYTES], in[FORMAT_BYTES], out[FORMAT_BYTES], failed[FORMAT_BYTES], workers[512] = "";
    size_t used = 0;

    if (view->unreachable) {
        (void)attron(COLOR_PAIR(BAD + 1) | A_BOLD);
        put_line(0, "nothing answers at %s; trying again%s", view->socket, model->taken_ns ? "; what is shown is old" : "");
        (void)attroff(COLOR_PAIR(BAD + 1) | A_BOLD);
    } else {
        put_line(0, "Penstock %s  %s  %s  up %s", model->version, model->state, model->engine, format_age(model->uptime_s, age));
    }
    if (!model->taken_ns)
        return;
    put_line(1, "sessions %llu  flows %llu  new/s %s  in %s/s  out %s/s  failed/s %s", (unsigned long long)model->sessions,
             (unsigned long long)model->flows, format_count(model->new_rate, news), format_bytes(model->in_rate, in), format_bytes(model->out_rate, out),
             format_count(model->failed_rate, failed));
    for (size_t i = 0; i < model->worker_count && used < sizeof(workers) - 1; i++)
        used += (size_t)snprintf(workers + used, sizeof(workers) - used, "  %zu: %llu, %.0f%%", i, (unsigned long long)model->workers[i].sessions,
                                 100 * model->workers[i].cpu);
    put_line(2, "workers%s", workers);
    (void)attron(A_REVERSE);
    put_line(3, "%-*s", COLS, "  BACKEND          STATE      SINCE  OPEN LIMIT NEW/s   CONN  FIRST FAIL/s  WT  OUT/s  REASON");
    (void)attroff(A_REVERSE);
}

static enum colour colour_of(const char *state)
{
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
        if (strcmp(colours[i].state, state) == 0)
            return colours[i].colour;
    return PLAIN;
}

static void draw_row(int y, const struct top_row *row, bool selected)
{
    char name[FORMAT_BYTES], age[FORMAT_BYTES], open[FORMAT_BYTES], limit[FORMAT_BYTES] = "-", rate[FORMAT_BYTES], out[FORMAT_BYTES];
    char connect[FORMAT_BYTES], first[FORMAT_BYTES], failed[FORMAT_BYTES];
    bool normal = strcmp(row->state, "primaries") == 0;

    if (!row->backend) {
        (void)attron(A_BOLD);
        put_line(y, "%s: %s, %s open, %s new/s%s%s", row->pool, row->address, format_count((double)row->sessions, open), format_count(row->new_rate, rate),
                 normal ? "" : ", ", normal ? "" : strcmp(row->state, "none") == 0 ? "NO BACKEND TAKES SESSIONS" : row->state);
        (void)attroff(A_BOLD);
        return;
    }
    if (row->limit)
        (void)format_count((double)row->limit, limit);
    if (selected)
        (void)attron(A_REVERSE);
    put_line(y, "%c %-16s %-9.9s %6s %5s %5s %5s %6s %6s %6s %3llu %6s  %s", selected ? '>' : ' ', format_cut(row->backend, 16, name), row->state,
             format_age(row->since_s, age), format_count((double)row->sessions, open), limit, format_count(row->new_rate, rate),
             format_ms(row->connect_ms, connect), format_ms(row->first_byte_ms, first), format_count(row->failed_rate, failed), (unsigned long long)row->weight,
             format_bytes(row->out_rate, out), colour_of(row->state) == GOOD ? "" : row->reason);
    if (selected)
        (void)attroff(A_REVERSE);
    (void)mvchgat(y, 19, 9, (selected ? A_REVERSE : A_NORMAL) | A_BOLD, (short)(colour_of(row->state) + 1), NULL);
}

static int table_lines(void)
{
    int lines = LINES - HEAD_LINES - EVENT_LINES - FOOT_LINES;

    return lines > TABLE_LINES_MIN ? lines : LINES - HEAD_LINES - FOOT_LINES; /* on a small terminal, the events go first */
}

static void draw_foot(const struct top_view *view)
{
    int y = HEAD_LINES + table_lines();

    for (size_t i = 0; y < LINES - FOOT_LINES; i++, y++) {
        if (i < view->event_count)
            put_line(y, "%s", view->events[i]);
        else
            put_line(y, " ");
    }
    (void)attron(view->message[0] ? A_BOLD : A_DIM);
    put_line(LINES - 1, "%s", view->message[0] ? view->message : "up/down select  d drain  r ready  m maintenance  +/- weight  s sort  q quit");
    (void)attroff(view->message[0] ? A_BOLD : A_DIM);
}

void top_view_draw(struct top_view *view, const struct top_model *model)
{
    int lines = table_lines();

    (void)erase();
    draw_head(view, model);
    for (int i = 0; i < lines && view->first + (size_t)i < model->row_count; i++)
        draw_row(HEAD_LINES + i, &model->rows[view->first + (size_t)i], view->first + (size_t)i == view->selected);
    draw_foot(view);
    (void)refresh();
}

/* ---- the selection ---- */

/* Returns the next backend from a row in a direction, or the row itself if there is none. */
static size_t next_backend(const struct top_model *model, size_t from, int direction)
{
    for (size_t i = from + (size_t)direction; i < model->row_count; i += (size_t)direction) /* below 0, it wraps to more than row_count */
        if (model->rows[i].backend)
            return i;
    return from;
}

void top_view_move(struct top_view *view, const struct top_model *model, int step)
{
    size_t lines = table_lines() > 1 ? (size_t)table_lines() : 1;

    if (view->selected >= model->row_count)
        view->selected = model->row_count ? model->row_count - 1 : 0;
    if (model->row_count && !model->rows[view->selected].backend)
        view->selected = next_backend(model, view->selected, 1);
    for (; step > 0; step--)
        view->selected = next_backend(model, view->selected, 1);
    for (; step < 0; step++)
        view->selected = next_backend(model, view->selected, -1);
    if (view->first >= view->selected)
        view->first = view->selected ? view->selected - 1 : 0; /* with the heading above it, if it is the first one of its pool */
    if (view->selected >= view->first + lines)
        view->first = view->selected - lines + 1;
}

/* ---- events ---- */

void top_view_add_event(struct top_view *view, char *text)
{
    if (!text)
        return;
    if (view->event_count == TOP_EVENTS_MAX)
        free(view->events[--view->event_count]);
    memmove(&view->events[1], &view->events[0], view->event_count * sizeof(view->events[0]));
    view->events[0] = text;
    view->event_count++;
}

void top_view_forget_events(struct top_view *view)
{
    while (view->event_count > 0)
        free(view->events[--view->event_count]);
}
