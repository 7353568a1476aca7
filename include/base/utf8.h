/* base/utf8.h: UTF-8 in text from outside, such as a server's answer to a probe. Pure functions, any thread, nothing allocated. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Returns the number of bytes of the character at `text`, which is zero-terminated: 1 to 4, or 0 if it is not valid UTF-8 (RFC 3629, section 4). */
size_t utf8_length(const char *text);

#endif
