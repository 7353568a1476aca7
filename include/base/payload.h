/* base/payload.h: the bytes that a probe sends or expects, written as text. Pure; any thread; nothing allocated.
 *
 *   PING\r\n         text. \r, \n, \t and \xNN stand for one byte. A backslash before a punctuation mark stands for that mark.
 *   hex:01 02ff      pairs of hexadecimal digits, with or without blanks between the pairs. In a pattern, a "?" stands for any digit. */
#ifndef BASE_PAYLOAD_H
#define BASE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_BYTES_MAX = 1024 };

struct payload {
    size_t count;                    /* number of bytes, at least 1 after payload_parse() */
    uint8_t bytes[PAYLOAD_BYTES_MAX];
    uint8_t masks[PAYLOAD_BYTES_MAX]; /* bits of each byte that must match: 0xff, less a half for each "?" */
};

/* Parses a text. "?" is a wildcard only if `is_pattern`, and otherwise not allowed after hex:. Returns NULL, or a constant text that says what is wrong; then
 * `out` is undefined. */
const char *payload_parse(struct payload *out, const char *text, bool is_pattern);

/* Whether the text has the notation hex:. */
bool payload_is_hex(const char *text);

/* Whether the data begins with bytes that match the whole pattern. */
bool payload_matches(const struct payload *pattern, const uint8_t *data, size_t bytes);

/* Whether the data and the pattern match as far as both go. */
bool payload_agrees(const struct payload *pattern, const uint8_t *data, size_t bytes);

/* Writes the data in one of the two notations to `buffer` and returns it. Data that does not fit is cut off, and "..." shows it. `size` is at least 16. */
const char *payload_format(const uint8_t *data, size_t bytes, bool as_hex, char *buffer, size_t size);

#endif
