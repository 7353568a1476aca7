/* cli/status_view.c: the table of `penstock status`. Main thread. */
#include "cli/status_view.h"

#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/member.h"

enum { NAME_WIDTH_MIN = 7, NAME_WIDTH_MAX = 20, NOTE_INDENT = 6 };

static const struct {
    const char *state, *colour;
} colours_of_states[] = {
    {"up", "\033[32m"}, {"busy", "\033[33m"}, {"drain", "\033[36m"}, {"maint", "\033[36m"}, {"leaving", "\033[36m"}, {"ejected", "\033[31m"},
    {"timed-out", "\033[31m"}, {"down", "\033[31m"},
};

/* Milliseconds; negative if they are not known. */
static double median_of(const json_t *backend, const char *member)
{
    const json_t *median = json_object_get(json_object_get(backend, member), "p50");

    return json_is_number(median) ? json_number_value(median) : -1;
}

void status_view_process(FILE *out, const json_t *status)
{
    const char *state = member_text(status, "state");
    char uptime[FORMAT_BYTES], sessions[FORMAT_BYTES], limit[FORMAT_BYTES], flows[FORMAT_BYTES];

    fprintf(out, "penstock %s: %s, up %s, pid %.0f, %s, %.0f workers\n", member_text(status, "version"),
            strcmp(state, "lame_duck") == 0 ? "about to stop" : state, format_age(member_number(status, "uptime_s"), uptime), member_number(status, "pid"),
            member_text(status, "engine"), member_number(status, "workers"));
    fprintf(out, "%s sessions of %s", format_count(member_number(status, "sessions"), sessions), format_count(member_number(status, "sessions_max"), limit));
    if (member_number(status, "flows_max") > 0)
        fprintf(out, ", %s UDP flows of %s", format_count(member_number(status, "flows"), flows), format_count(member_number(status, "flows_max"), limit));
    fprintf(out, "\n");
}

/* The width of the column of names that this pool needs. */
static int name_width(const json_t *backends)
{
    size_t width = NAME_WIDTH_MIN, i;
    json_t *backend;

    json_array_foreach(backends, i, backend) {
        size_t needed = strlen(member_text(backend, "name")) + (json_is_true(json_object_get(backend, "backup")) ? 1 : 0);
        if (needed > width)
            width = needed;
    }
    return (int)(width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX);
}

/* Prints text behind an indent, in lines that are broken at blanks. */
static void print_lines(FILE *out, int indent, const char *text)
{
    size_t room = (size_t)(STATUS_VIEW_COLUMNS - indent);

    while (*text != '\0') {
        size_t length = strlen(text), cut = length;

        if (length > room) {
            for (cut = room; cut > 0 && text[cut] != ' '; cut--)
                ;
            if (cut == 0)
                cut = room; /* one long word */
        }
        fprintf(out, "%*s%.*s\n", indent, "", (int)cut, text);
        text += cut;
        text += strspn(text, " ");
    }
}

/* Prints the reason of the state, and why the backend gets fewer sessions than its weight says. */
static void print_notes(FILE *out, const json_t *backend)
{
    double share = member_number(backend, "share_percent"), limit = member_number(backend, "max_connections");
    double limit_now = member_number(backend, "max_connections_now");
    char text[120];

    print_lines(out, NOTE_INDENT, member_text(backend, "reason"));
    if (!json_is_true(json_object_get(backend, "serves")))
        return;
    if (share < 100) {
        (void)snprintf(text, sizeof(text), "gets %.0f%% of the sessions of its weight%s", share,
                       json_is_true(json_object_get(backend, "slow_start")) ? ": it starts slowly" : "");
        print_lines(out, NOTE_INDENT, text);
    }
    if (limit_now != limit) {
        (void)snprintf(text, sizeof(text), "limit at present: %.0f of %.0f sessions", limit_now, limit);
        print_lines(out, NOTE_INDENT, text);
    }
}

static const char *colour_of(const char *state)
{
    for (size_t i = 0; i < sizeof(colours_of_states) / sizeof(colours_of_states[0]); i++)
        if (strcmp(colours_of_states[i].state, state) == 0)
            return colours_of_states[i].colour;
    return NULL;
}

/* Prints one backend: 80 columns at most. */
static void print_backend(FILE *out, const json_t *backend, int width, bool colours)
{
    const char *state = member_text(backend, "state"), *colour = colours ? colour_of(state) : NULL;
    bool backup = json_is_true(json_object_get(backend, "backup"));
    double limit = member_number(backend, "max_connections");
    double failed = member_number(backend, "failed_total") + member_number(backend, "connect_failures");
    char name[FORMAT_BYTES], load[2 * FORMAT_BYTES], part[FORMAT_BYTES], total[FORMAT_BYTES], failures[FORMAT_BYTES], connect[FORMAT_BYTES];
    char first_byte[FORMAT_BYTES], since[FORMAT_BYTES];

    (void)snprintf(load, sizeof(load), "%s%s", format_count(member_number(backend, "sessions"), part), limit > 0 ? "/" : "");
    if (limit > 0)
        (void)strncat(load, format_count(limit, part), sizeof(load) - strlen(load) - 1);
    (void)format_cut(member_text(backend, "name"), (size_t)width - (backup ? 1 : 0), name);
    if (backup)
        (void)strncat(name, "*", sizeof(name) - strlen(name) - 1);
    fprintf(out, "  %-*s %s%-9s%s %11s %6s %6s %6s %6s %6s\n", width, name, colour ? colour : "", state, colour ? "\033[0m" : "", load,
            format_count(member_number(backend, "sessions_total") + member_number(backend, "flows_total"), total), format_count(failed, failures),
            format_ms(median_of(backend, "connect_ms"), connect), format_ms(median_of(backend, "first_byte_ms"), first_byte),
            format_age(member_number(backend, "since_s"), since));
    print_notes(out, backend);
}

/* Prints the line above the backends of a pool. */
static void print_pool(FILE *out, const json_t *pool)
{
    const char *service = member_text(pool, "service");
    char text[2 * STATUS_VIEW_COLUMNS], name[FORMAT_BYTES], sessions[FORMAT_BYTES];

    (void)snprintf(text, sizeof(text), "%s: %.0f of %zu usable, %s sessions, %s, check %s%s", format_cut(member_text(pool, "name"), 24, name),
                   member_number(pool, "usable"), json_array_size(json_object_get(pool, "backends")), format_count(member_number(pool, "sessions"), sessions),
                   member_text(pool, "balance"), member_text(pool, "check"), json_is_true(json_object_get(pool, "leaving")) ? ", leaving" : "");
    print_lines(out, 0, text);
    if (strcmp(service, "none") == 0)
        fprintf(out, "  no backend takes new sessions\n");
    else if (strcmp(service, "primaries") != 0)
        fprintf(out, "  new sessions go to: %s\n", service);
}

void status_view_pools(FILE *out, const json_t *pools, bool colours)
{
    size_t i, j;
    json_t *pool, *backend;

    json_array_foreach(json_object_get(pools, "pools"), i, pool) {
        const json_t *backends = json_object_get(pool, "backends");
        int width = name_width(backends);
        bool has_backup = false;

        if (i > 0)
            fputc('\n', out);
        print_pool(out, pool);
        if (json_array_size(backends) > 0)
            fprintf(out, "  %-*s %-9s %11s %6s %6s %6s %6s %6s\n", width, "BACKEND", "STATE", "SESS/LIMIT", "TOTAL", "FAILED", "CONN", "FIRST", "SINCE");
        json_array_foreach(backends, j, backend) {
            print_backend(out, backend, width, colours);
            has_backup = has_backup || json_is_true(json_object_get(backend, "backup"));
        }
        if (has_backup)
            fprintf(out, "  * backup\n");
    }
}
