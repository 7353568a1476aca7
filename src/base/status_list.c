/* base/status_list.c: reads lists of HTTP status codes. Pure; any thread. */
#include "base/status_list.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define BLANKS " \t"

struct span {
    long first, last; /* inclusive */
};

/* Parses "CODE" or "CODE-CODE" and moves `*at` past it. Returns false if there is none. */
static bool take_span(const char **at, struct span *span)
{
    size_t digits = strspn(*at, DIGITS);
    char *end;

    if (digits == 0 || digits > 3)
        return false;
    span->first = span->last = strtol(*at, &end, 10);
    *at = end;
    if (*end != '-')
        return true;
    digits = strspn(end + 1, DIGITS);
    if (digits == 0 || digits > 3)
        return false;
    span->last = strtol(end + 1, &end, 10);
    *at = end;
    return true;
}

/* Moves `*at` past a comma and the blanks around it. Returns false, also without a comma. */
static bool take_comma(const char **at)
{
    *at += strspn(*at, BLANKS);
    if (**at != ',')
        return false;
    *at += 1;
    *at += strspn(*at, BLANKS);
    return true;
}

const char *status_list_check(const char *list)
{
    static const char no_list[] = "not a list of codes and ranges such as 200-299,401";
    const char *at = list, *problem = NULL;
    struct span span;

    do {
        if (!take_span(&at, &span))
            return no_list;
        if (span.first > span.last)
            problem = "a range ends before it begins";
        else if (span.first < STATUS_MIN || span.last > STATUS_MAX)
            problem = "a code is not from 100 to 599";
    } while (take_comma(&at));
    return *at == '\0' ? problem : no_list;
}

bool status_list_contains(const char *list, long status)
{
    const char *at = list;
    struct span span;

    do {
        if (!take_span(&at, &span))
            return false;
        if (status >= span.first && status <= span.last)
            return true;
    } while (take_comma(&at));
    return false;
}
