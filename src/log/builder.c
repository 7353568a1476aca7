/* log/builder.c: builds one text in a buffer of the caller. Pure; any thread. */
#include "log/builder.h"

#include <assert.h>
#include <string.h>

struct builder builder_begin(char *out, size_t size)
{
    assert(size > 0);
    *out = '\0';
    return (struct builder){.out = out, .size = size};
}

void builder_add(struct builder *builder, const char *text, size_t bytes)
{
    builder->full |= bytes >= builder->size - builder->length;
    if (builder->full)
        return;
    memcpy(builder->out + builder->length, text, bytes);
    builder->length += bytes;
    builder->out[builder->length] = '\0';
}

void builder_text(struct builder *builder, const char *text)
{
    builder_add(builder, text, strlen(text));
}

static bool is_plain(unsigned char byte, enum builder_escape escape)
{
    if (byte < 0x20 || byte >= 0x7f)
        return false;
    return escape == BUILDER_LINE || (byte != '"' && byte != '\\' && (byte != ' ' || escape == BUILDER_JSON));
}

static void add_escaped(struct builder *builder, unsigned char byte, enum builder_escape escape)
{
    static const char digits[] = "0123456789abcdef";
    const char code[] = {'\\', '\\', 'x', digits[byte >> 4], digits[byte & 15]};
    const char quoted[] = {'\\', (char)byte};

    if (escape != BUILDER_JSON)
        builder_add(builder, code + 1, sizeof(code) - 1);
    else if (byte == '"' || byte == '\\')
        builder_add(builder, quoted, sizeof(quoted));
    else
        builder_add(builder, code, sizeof(code));
}

static size_t plain_bytes(const char *text, size_t bytes, enum builder_escape escape)
{
    size_t plain = 0;

    while (plain < bytes && is_plain((unsigned char)text[plain], escape))
        plain++;
    return plain;
}

void builder_escaped(struct builder *builder, const char *text, size_t bytes, enum builder_escape escape)
{
    for (size_t i = 0; i < bytes && !builder->full;) {
        size_t plain = plain_bytes(text + i, bytes - i, escape), space = builder->size - builder->length - 1;

        if (plain == 0) {
            add_escaped(builder, (unsigned char)text[i++], escape);
            continue;
        }
        builder_add(builder, text + i, plain < space ? plain : space);
        builder->full = plain > space;
        i += plain;
    }
}

void builder_number(struct builder *builder, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    builder_add(builder, digits + at, sizeof(digits) - at);
}

void builder_ms(struct builder *builder, uint64_t us)
{
    const char decimals[] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10)};

    builder_number(builder, us / 1000);
    builder_add(builder, decimals, sizeof(decimals));
}
