/* base/expect.h: what a probe expects an answer to contain. Any thread; an object is used by one thread at a time.
 *
 *   +PONG            the answer begins with these bytes, in either notation of base/payload.h
 *   regex:role:ma    the answer contains a match of a POSIX extended regular expression (regex(7)), in the C locale: one character is one byte
 *
 * In an expression, \r, \n, \t and \xNN stand for one byte, also in brackets. A backslash before a punctuation mark stands for that mark. Other escapes and
 * back-references are refused. "." matches any byte but zero, also a line feed; "^" and "$" match only at the beginning and at the end of what has arrived.
 *
 * regexec(3) searches by trying to match at each byte, which takes quadratic time: 0.7 s for "a.*b" in 16 KiB. Each expression is therefore compiled with a
 * prefix that matches any bytes and begins with "^". Then the time is linear, 60 us for 16 KiB, whatever the expression is. Without back-references, glibc
 * matches with an automaton that does not backtrack. */
#ifndef BASE_EXPECT_H
#define BASE_EXPECT_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/payload.h"

/* No more than the first bytes of an answer are looked at. */
enum { EXPECT_BYTES_MAX = 16384, EXPECT_PROBLEM_BYTES = 120 };

struct expect {
    bool is_regex;
    union {
        struct payload payload;
        regex_t regex; /* owned */
    };
};

enum expect_verdict {
    EXPECT_MATCH,     /* the answer is as expected, whatever follows */
    EXPECT_OPEN,      /* more bytes could make it so */
    EXPECT_MISMATCH,  /* it is not, whatever follows */
    EXPECT_NO_MEMORY
};

/* Checks a text. Returns whether it is valid; otherwise `problem` says what is wrong. */
bool expect_validate(const char *text, char problem[EXPECT_PROBLEM_BYTES]);

/* Whether a text has the notation regex:. */
bool expect_is_regex(const char *text);

/* Prepares to match. Asserts that the text is valid. Returns 0, or -ENOMEM; then `out` needs no expect_deinit(). */
int expect_init(struct expect *out, const char *text);
void expect_deinit(struct expect *expect);

/* Compares the first bytes of an answer, at most EXPECT_BYTES_MAX of which are looked at. `data` is followed by a zero byte that does not count:
 * AddressSanitizer takes the data for a string. */
enum expect_verdict expect_match(const struct expect *expect, const uint8_t *data, size_t bytes);

#endif
