/* config/errors.c: the list of what is wrong with a configuration. Whoever loads runs it; the list owns its texts. */
#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error {
    char *text;
    unsigned order, line;
    size_t sequence;
};

struct config_errors {
    struct error *errors;
    size_t count, room;
    bool out_of_memory;
};

struct config_errors *config_errors_new(void)
{
    return calloc(1, sizeof(struct config_errors));
}

void config_errors_free(struct config_errors *errors)
{
    if (!errors)
        return;
    for (size_t i = 0; i < errors->count; i++)
        free(errors->errors[i].text);
    free(errors->errors);
    free(errors);
}

size_t config_errors_count(const struct config_errors *errors)
{
    return errors->count + (errors->out_of_memory ? 1 : 0);
}

const char *config_errors_text(const struct config_errors *errors, size_t i)
{
    return i < errors->count ? errors->errors[i].text : "out of memory";
}

/* The bytes of the character at `text`, of UTF-8 or ASCII; 0: it is none, or one that commands a terminal. */
static size_t printable_bytes(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t n = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 1;

    if (first < 0x20 || first == 0x7f || (n == 1 && first >= 0x80))
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return first == 0xc2 && (unsigned char)text[1] < 0xa0 ? 0 : n; /* U+0080 to U+009F are control characters too */
}

/* A message is one line on a terminal whatever the file held. */
static void make_printable(char *text)
{
    while (*text) {
        size_t n = printable_bytes(text);

        if (n == 0)
            *text = '?';
        text += n == 0 ? 1 : n;
    }
}

static bool make_room(struct config_errors *errors)
{
    if (errors->count < errors->room)
        return true;
    size_t room = errors->room == 0 ? 16 : errors->room * 2;
    struct error *grown = realloc(errors->errors, room * sizeof(*grown));
    if (!grown)
        return false;
    errors->errors = grown;
    errors->room = room;
    return true;
}

void config_errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
{
    char *message = NULL, *text = NULL;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (n < 0) {
        errors->out_of_memory = true;
        return;
    }
    if (place->line == 0)
        n = asprintf(&text, "%s: %s", place->source->file, message);
    else
        n = asprintf(&text, "%s:%u: %s", place->source->file, place->line, message);
    free(message);
    if (n < 0 || !make_room(errors)) {
        if (n >= 0)
            free(text);
        errors->out_of_memory = true;
        return;
    }
    make_printable(text);
    errors->errors[errors->count] = (struct error){
        .text = text,
        .order = place->source->order,
        .line = place->line,
        .sequence = errors->count,
    };
    errors->count++;
}

static int compare(const void *left, const void *right)
{
    const struct error *a = left, *b = right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void config_errors_sort(struct config_errors *errors)
{
    if (errors->count > 1)
        qsort(errors->errors, errors->count, sizeof(*errors->errors), compare);
}
