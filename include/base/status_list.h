/* base/status_list.h: a list of HTTP status codes written as text, such as "200-299,401,503". Pure; any thread; nothing allocated. */
#ifndef BASE_STATUS_LIST_H
#define BASE_STATUS_LIST_H

#include <stdbool.h>

enum { STATUS_MIN = 100, STATUS_MAX = 599 };

/* Checks a list: codes and ranges FIRST-LAST, from STATUS_MIN to STATUS_MAX, with commas between them and blanks around the commas. Returns NULL, or a constant
 * text that says what is wrong. */
const char *status_list_check(const char *list);

/* Whether the list, which status_list_check() accepts, contains the status. */
bool status_list_contains(const char *list, long status);

#endif
