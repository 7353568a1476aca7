/* admin/api_number.c: a whole number in a URL. Pure function, any thread. */
#include "admin/api_number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool api_number_parse(uint64_t *number, const char *text, uint64_t min, uint64_t max)
{
    size_t digits = strspn(text, "0123456789");

    errno = 0;
    *number = strtoull(text, NULL, 10);
    return digits > 0 && text[digits] == '\0' && errno == 0 && *number >= min && *number <= max;
}
