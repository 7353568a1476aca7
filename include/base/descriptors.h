/* base/descriptors.h: the standard descriptors 0, 1 and 2. Main thread, before any other code runs. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null in place of each of the descriptors 0, 1 and 2 that is closed. Without this, the program's own sockets and files would get
 * these numbers, and messages for standard error would be written into one of them. Call it first in main(), before any descriptor is opened.
 * Returns false if /dev/null cannot be opened, after one line on standard error, if that is open. `program` is the name at the start of that line. */
bool descriptors_open_standard(const char *program);

#endif
