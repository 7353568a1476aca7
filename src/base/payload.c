/* base/payload.c: converts the bytes of a datagram between text and memory. Pure; any thread; owns nothing. */
#include "base/payload.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HEX "hex:"

static const char too_long[] = "more than 1024 bytes";
static const char bad_escape[] = "after a \"\\\" comes r, n, t, xNN or a punctuation mark";

/* Returns the value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *append_byte(struct payload *out, uint8_t byte, uint8_t mask)
{
    if (out->count == PAYLOAD_BYTES_MAX)
        return too_long;
    out->bytes[out->count] = byte & mask;
    out->masks[out->count++] = mask;
    return NULL;
}

/* Appends the byte that an escape stands for. `*at` is after the backslash, and then after the escape. */
static const char *append_escape(struct payload *out, const char **at)
{
    static const char names[] = "rnt", values[] = "\r\n\t";
    const char *text = *at, *name = *text != '\0' ? strchr(names, *text) : NULL;

    *at = text + 1;
    if (name)
        return append_byte(out, (uint8_t)values[name - names], 0xff);
    if (ispunct((unsigned char)*text))
        return append_byte(out, (uint8_t)*text, 0xff);
    if (*text != 'x' || digit_value(text[1]) < 0 || digit_value(text[2]) < 0)
        return bad_escape;
    *at = text + 3;
    return append_byte(out, (uint8_t)(digit_value(text[1]) << 4 | digit_value(text[2])), 0xff);
}

static const char *parse_text(struct payload *out, const char *at)
{
    const char *problem = NULL;

    while (!problem && *at != '\0') {
        if (*at == '\\') {
            at++;
            problem = append_escape(out, &at);
        } else {
            problem = append_byte(out, (uint8_t)*at++, 0xff);
        }
    }
    return problem;
}

static const char *parse_hex(struct payload *out, const char *at, bool is_pattern)
{
    const char *problem = NULL;

    while (!problem && *(at += strspn(at, " \t")) != '\0') {
        uint8_t byte = 0, mask = 0;
        for (int half = 0; half < 2; half++, at++) {
            bool is_any = is_pattern && *at == '?';
            int value = is_any ? 0 : digit_value(*at);
            if (value < 0)
                return is_pattern ? "after hex: come pairs of digits 0-9, a-f or ? for any digit" : "after hex: come pairs of digits 0-9, a-f";
            byte = (uint8_t)(byte << 4 | value);
            mask = (uint8_t)(mask << 4 | (is_any ? 0 : 0xf));
        }
        problem = append_byte(out, byte, mask);
    }
    return problem;
}

bool payload_is_hex(const char *text)
{
    return strncmp(text, HEX, strlen(HEX)) == 0;
}

const char *payload_parse(struct payload *out, const char *text, bool is_pattern)
{
    const char *problem;

    out->count = 0;
    problem = payload_is_hex(text) ? parse_hex(out, text + strlen(HEX), is_pattern) : parse_text(out, text);
    return !problem && out->count == 0 ? "has no bytes" : problem;
}

bool payload_agrees(const struct payload *pattern, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < pattern->count && i < bytes; i++)
        if ((data[i] & pattern->masks[i]) != pattern->bytes[i])
            return false;
    return true;
}

bool payload_matches(const struct payload *pattern, const uint8_t *data, size_t bytes)
{
    return bytes >= pattern->count && payload_agrees(pattern, data, bytes);
}

/* Writes one byte of a text as payload_parse() reads it. Returns the length, which is at most 4. */
static int format_byte(uint8_t byte, char *out, size_t size)
{
    static const char names[] = "rnt", values[] = "\r\n\t";
    const char *value = byte != '\0' ? strchr(values, byte) : NULL;

    if (value)
        return snprintf(out, size, "\\%c", names[value - values]);
    if (byte == '\\')
        return snprintf(out, size, "\\\\");
    return snprintf(out, size, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x", byte);
}

const char *payload_format(const uint8_t *data, size_t bytes, bool as_hex, char *buffer, size_t size)
{
    size_t length = 0;

    assert(size >= 16);
    buffer[0] = '\0';
    if (as_hex)
        length = (size_t)snprintf(buffer, size, HEX);
    for (size_t i = 0; i < bytes; i++) {
        char piece[8];
        int n = as_hex ? snprintf(piece, sizeof(piece), "%02x", data[i]) : format_byte(data[i], piece, sizeof(piece));
        if (length + (size_t)n + sizeof("...") > size) {
            snprintf(buffer + length, size - length, "...");
            break;
        }
        length += (size_t)snprintf(buffer + length, size - length, "%s", piece);
    }
    return buffer;
}
