/* admin/exposition.c: the text format of Prometheus. Admin thread; an exposition owns its text. */
#include "admin/exposition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define FIRST_BYTES 4096

void exposition_deinit(struct exposition *exposition)
{
    free(exposition->text);
    *exposition = (struct exposition){0};
}

static void append_bytes(struct exposition *exposition, const char *bytes, size_t length)
{
    if (exposition->failed || length == 0)
        return;
    if (exposition->capacity - exposition->length < length) {
        size_t capacity = exposition->capacity ? exposition->capacity * 2 : FIRST_BYTES;
        while (capacity - exposition->length < length)
            capacity *= 2;
        char *text = realloc(exposition->text, capacity);
        if (!text) {
            exposition->failed = true;
            return;
        }
        exposition->text = text;
        exposition->capacity = capacity;
    }
    memcpy(exposition->text + exposition->length, bytes, length);
    exposition->length += length;
}

static void append_text(struct exposition *exposition, const char *text)
{
    append_bytes(exposition, text, strlen(text));
}

void exposition_add_family(struct exposition *exposition, const char *name, const char *type, const char *help)
{
    append_text(exposition, "# HELP ");
    append_text(exposition, name);
    append_text(exposition, " ");
    append_text(exposition, help);
    append_text(exposition, "\n# TYPE ");
    append_text(exposition, name);
    append_text(exposition, " ");
    append_text(exposition, type);
    append_text(exposition, "\n");
}

static void append_escaped(struct exposition *exposition, const char *value)
{
    while (*value != '\0') {
        size_t length = utf8_length(value);
        if (*value == '"' || *value == '\\') {
            append_bytes(exposition, "\\", 1);
            append_bytes(exposition, value, 1);
        } else if (*value == '\n') {
            append_bytes(exposition, "\\n", 2);
        } else if (length == 0 || (unsigned char)*value < ' ' || *value == 0x7f) {
            append_bytes(exposition, "?", 1);
        } else {
            append_bytes(exposition, value, length);
        }
        value += length ? length : 1;
    }
}

void exposition_add_label(struct exposition *exposition, size_t start, const char *name, const char *value)
{
    if (exposition->length > start)
        append_bytes(exposition, ",", 1);
    append_text(exposition, name);
    append_text(exposition, "=\"");
    append_escaped(exposition, value);
    append_text(exposition, "\"");
}

size_t exposition_format_number(char text[EXPOSITION_NUMBER_BYTES], uint64_t number, unsigned decimals)
{
    char reversed[EXPOSITION_NUMBER_BYTES];
    size_t length = 0;

    assert(decimals <= 9);
    while (decimals > 0 && number % 10 == 0) {
        number /= 10;
        decimals--;
    }
    for (unsigned i = 0; number > 0 || i <= decimals; i++) { /* 20 digits, a point and a terminator at most */
        if (i == decimals && decimals > 0)
            reversed[length++] = '.';
        reversed[length++] = (char)('0' + number % 10);
        number /= 10;
    }
    for (size_t i = 0; i < length; i++)
        text[i] = reversed[length - 1 - i];
    text[length] = '\0';
    return length;
}

void exposition_add_sample(struct exposition *exposition, const struct exposition_sample *sample)
{
    char number[EXPOSITION_NUMBER_BYTES];
    size_t length = exposition_format_number(number, sample->number, sample->decimals);

    append_text(exposition, sample->name);
    append_text(exposition, sample->suffix);
    if (sample->labels_length > 0 || sample->label_name) {
        append_bytes(exposition, "{", 1);
        append_bytes(exposition, sample->labels, sample->labels_length);
        if (sample->label_name) {
            append_text(exposition, sample->labels_length > 0 ? "," : "");
            append_text(exposition, sample->label_name);
            append_text(exposition, "=\"");
            append_escaped(exposition, sample->label_value);
            append_text(exposition, "\"");
        }
        append_bytes(exposition, "}", 1);
    }
    append_bytes(exposition, " ", 1);
    append_bytes(exposition, number, length);
    append_bytes(exposition, "\n", 1);
}
