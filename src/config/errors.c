/* config/errors.c: the errors and warnings of a configuration. Thread that loads the configuration; the lists own their texts.
 *
 * A file that is not a configuration has an error in each line. Only the first 50 texts are kept, in the order of files and lines; the others are counted.
 * Errors are not found in that order, so a later one can still replace one that was kept. */
#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MAX = 50,
    MESSAGE_BYTES_MAX = 800, /* a longer message loses its middle, which is part of the value */
    MESSAGE_END_BYTES = 200,
};

struct complaint {
    char *text;
    unsigned order, line;
    size_t sequence;
};

struct list {
    struct complaint kept[2 * KEPT_MAX]; /* in the order of adding; when it is full, all but the first KEPT_MAX are dropped */
    size_t kept_count, found;
    bool full;                  /* KEPT_MAX are kept; errors after the place below are only counted */
    unsigned last_order, last_line;
    char more[64]; /* line that stands for those that are not kept; "": all are kept */
};

struct config_errors {
    struct list errors, warnings;
    bool out_of_memory;
};

struct config_errors *config_errors_new(void)
{
    return calloc(1, sizeof(struct config_errors));
}

/* Frees the texts from index `first` on. */
static void drop_from(struct list *list, size_t first)
{
    while (list->kept_count > first)
        free(list->kept[--list->kept_count].text);
}

void config_errors_free(struct config_errors *errors)
{
    if (!errors)
        return;
    drop_from(&errors->errors, 0);
    drop_from(&errors->warnings, 0);
    free(errors);
}

size_t config_errors_count(const struct config_errors *errors)
{
    return errors->errors.found + (errors->out_of_memory ? 1 : 0);
}

static size_t count_lines(const struct list *list)
{
    return list->kept_count + (list->more[0] ? 1 : 0);
}

static const char *line_text(const struct list *list, size_t i)
{
    return i < list->kept_count ? list->kept[i].text : list->more;
}

size_t config_errors_lines(const struct config_errors *errors)
{
    return count_lines(&errors->errors) + (errors->out_of_memory ? 1 : 0) + count_lines(&errors->warnings);
}

const char *config_errors_text(const struct config_errors *errors, size_t i)
{
    size_t count = count_lines(&errors->errors);

    if (i < count)
        return line_text(&errors->errors, i);
    i -= count;
    if (errors->out_of_memory && i-- == 0)
        return "out of memory";
    return line_text(&errors->warnings, i);
}

/* Returns the length of the UTF-8 character at `text`, or 0 if it is invalid or a control character. */
static size_t printable_bytes(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t n = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 1;

    if (first < 0x20 || first == 0x7f || (n == 1 && first >= 0x80))
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return first == 0xc2 && (unsigned char)text[1] < 0xa0 ? 0 : n; /* U+0080 to U+009F are control characters */
}

/* Makes sure that a message is one harmless line on a terminal, whatever the file contains. */
static void make_printable(char *text)
{
    while (*text) {
        size_t n = printable_bytes(text);

        if (n == 0)
            *text = '?';
        text += n == 0 ? 1 : n;
    }
}

static void shorten_message(char *message)
{
    static const char cut[] = " ... ";
    size_t n = strlen(message);
    char *to = message + MESSAGE_BYTES_MAX - MESSAGE_END_BYTES - sizeof(cut);

    if (n <= MESSAGE_BYTES_MAX)
        return;
    memcpy(to, cut, sizeof(cut) - 1);
    memmove(to + sizeof(cut) - 1, message + n - MESSAGE_END_BYTES, MESSAGE_END_BYTES + 1);
}

static int compare_complaints(const void *left, const void *right)
{
    const struct complaint *a = left, *b = right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Sorts the list and drops all but its first KEPT_MAX. */
static void trim_list(struct list *list)
{
    if (list->kept_count > 1)
        qsort(list->kept, list->kept_count, sizeof(list->kept[0]), compare_complaints);
    drop_from(list, KEPT_MAX);
    if (list->kept_count == KEPT_MAX) {
        list->full = true;
        list->last_order = list->kept[KEPT_MAX - 1].order;
        list->last_line = list->kept[KEPT_MAX - 1].line;
    }
}

static void sort_list(struct list *list, const char *name)
{
    trim_list(list);
    if (list->found > list->kept_count)
        snprintf(list->more, sizeof(list->more), "and %zu more %s", list->found - list->kept_count, name);
}

void config_errors_sort(struct config_errors *errors)
{
    sort_list(&errors->errors, "errors");
    sort_list(&errors->warnings, "warnings");
}

/* Returns "file:line: " and the message, or NULL if memory runs out. A source without a file is a change while Penstock runs, which needs no place. */
static char *__attribute__((format(printf, 3, 0))) make_text(const struct config_place *place, const char *kind, const char *format, va_list arguments)
{
    char *message = NULL, *text = NULL;
    int n;

    if (vasprintf(&message, format, arguments) < 0)
        return NULL;
    shorten_message(message);
    if (!place->source->file)
        n = asprintf(&text, "%s%s", kind, message);
    else if (place->line == 0)
        n = asprintf(&text, "%s: %s%s", place->source->file, kind, message);
    else
        n = asprintf(&text, "%s:%u: %s%s", place->source->file, place->line, kind, message);
    free(message);
    if (n < 0)
        return NULL;
    make_printable(text);
    return text;
}

/* Whether a complaint about this place is among the first ones found so far. Makes room for it if necessary. */
static bool is_wanted(struct list *list, const struct config_place *place)
{
    if (list->kept_count == sizeof(list->kept) / sizeof(list->kept[0]) || (list->kept_count == KEPT_MAX && !list->full))
        trim_list(list);
    if (!list->full || place->source->order < list->last_order)
        return true;
    return place->source->order == list->last_order && place->line < list->last_line;
}

static void __attribute__((format(printf, 5, 0))) add_complaint(struct config_errors *errors, struct list *list, const struct config_place *place,
                                                                const char *kind, const char *format, va_list arguments)
{
    char *text;

    if (is_wanted(list, place)) {
        text = make_text(place, kind, format, arguments);
        if (!text) {
            errors->out_of_memory = true;
            return;
        }
        list->kept[list->kept_count++] = (struct complaint){.text = text, .order = place->source->order, .line = place->line, .sequence = list->found};
    }
    list->found++;
}

void config_errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_complaint(errors, &errors->errors, place, "", format, arguments);
    va_end(arguments);
}

void config_errors_warn(struct config_errors *errors, const struct config_place *place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_complaint(errors, &errors->warnings, place, CONFIG_WARNING, format, arguments);
    va_end(arguments);
}
