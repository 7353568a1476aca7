/* base/descriptors.h: the standard descriptors 0, 1 and 2. Main thread, before anything else runs. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null in place of each of the descriptors 0, 1 and 2 that is closed. Without this, the program's own sockets and files would get
 * these numbers, and what is written to standard error would go into one of them. To be called first in main(), before any descriptor is opened.
 * False: /dev/null cannot be opened; one line on standard error says so, if that is open. `program` is the name that the line begins with. */
bool descriptors_open_standard(const char *program);

#endif
