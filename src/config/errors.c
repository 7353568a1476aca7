/* config/errors.c: the list of what is wrong with a configuration. Whoever loads runs it; the list owns its texts.
 *
 * A file that is no configuration has an error in each line: the texts of the first ones are kept, in the order of the files, and the rest is counted. */
#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MAX = 50,
    MESSAGE_BYTES_MAX = 800, /* a longer one is cut in its middle, where the value is that it speaks of */
    MESSAGE_END_BYTES = 200,
};

struct error {
    char *text;
    unsigned order, line;
    size_t sequence;
};

struct config_errors {
    struct error kept[2 * KEPT_MAX]; /* in the order of their coming; so many that dropping the last ones in the order of the files is seldom due */
    size_t kept_count, found;
    bool out_of_memory;
    char more[64]; /* what stands for those that are not kept; "" : all are */
};

struct config_errors *config_errors_new(void)
{
    return calloc(1, sizeof(struct config_errors));
}

/* Frees the texts from number `first` on. */
static void drop_from(struct config_errors *errors, size_t first)
{
    while (errors->kept_count > first)
        free(errors->kept[--errors->kept_count].text);
}

void config_errors_free(struct config_errors *errors)
{
    if (!errors)
        return;
    drop_from(errors, 0);
    free(errors);
}

size_t config_errors_count(const struct config_errors *errors)
{
    return errors->found + (errors->out_of_memory ? 1 : 0);
}

size_t config_errors_lines(const struct config_errors *errors)
{
    return errors->kept_count + (errors->more[0] ? 1 : 0) + (errors->out_of_memory ? 1 : 0);
}

const char *config_errors_text(const struct config_errors *errors, size_t i)
{
    if (i < errors->kept_count)
        return errors->kept[i].text;
    return i == errors->kept_count && errors->more[0] ? errors->more : "out of memory";
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

static void shorten(char *message)
{
    static const char cut[] = " ... ";
    size_t n = strlen(message);
    char *to = message + MESSAGE_BYTES_MAX - MESSAGE_END_BYTES - sizeof(cut);

    if (n <= MESSAGE_BYTES_MAX)
        return;
    memcpy(to, cut, sizeof(cut) - 1);
    memmove(to + sizeof(cut) - 1, message + n - MESSAGE_END_BYTES, MESSAGE_END_BYTES + 1);
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
    if (errors->kept_count > 1)
        qsort(errors->kept, errors->kept_count, sizeof(*errors->kept), compare);
    drop_from(errors, KEPT_MAX);
    if (errors->found > errors->kept_count)
        snprintf(errors->more, sizeof(errors->more), "and %zu more errors", errors->found - errors->kept_count);
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
    shorten(message);
    if (place->line == 0)
        n = asprintf(&text, "%s: %s", place->source->file, message);
    else
        n = asprintf(&text, "%s:%u: %s", place->source->file, place->line, message);
    free(message);
    if (n < 0) {
        errors->out_of_memory = true;
        return;
    }
    make_printable(text);
    if (errors->kept_count == sizeof(errors->kept) / sizeof(errors->kept[0]))
        config_errors_sort(errors);
    errors->kept[errors->kept_count++] = (struct error){.text = text, .order = place->source->order, .line = place->line, .sequence = errors->found++};
}
