/* log/builder.h: builds one text in a buffer of the caller, piece by piece. Pure; any thread.
 *
 * A piece that does not fit is left out as a whole (of escaped text: from the first byte that does not fit), and so is every later one. The text always ends
 * with a zero, which `length` does not count. */
#ifndef LOG_BUILDER_H
#define LOG_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct builder {
    char *out;
    size_t size;   /* of `out`, at least 1 */
    size_t length;
    bool full;     /* something did not fit */
};

/* What else is escaped, besides bytes outside printable ASCII. Those always become \xNN, so that a peer can neither forge a line nor send terminal escapes. */
enum builder_escape {
    BUILDER_LINE, /* nothing: text at the end of a line */
    BUILDER_WORD, /* blanks, quotation marks and backslashes, as \xNN too: one word */
    BUILDER_JSON, /* quotation marks and backslashes, by a backslash: the inside of a JSON string; \xNN has two backslashes in it */
};

struct builder builder_begin(char *out, size_t size);

void builder_add(struct builder *builder, const char *text, size_t bytes);
void builder_text(struct builder *builder, const char *text);
void builder_escaped(struct builder *builder, const char *text, size_t bytes, enum builder_escape escape);
void builder_number(struct builder *builder, uint64_t number);
/* Writes microseconds as milliseconds with three decimals: 1234 as "1.234". */
void builder_ms(struct builder *builder, uint64_t us);

#endif
