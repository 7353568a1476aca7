/* io/self_test.h: tries an engine before it is chosen. Private to src/io. */
#ifndef IO_SELF_TEST_H
#define IO_SELF_TEST_H

#include "io/io.h"

/* Makes an engine as `choice` says, uses it and frees it. 0: it did what io/io.h promises; or a negative errno. Takes milliseconds; two seconds when the kernel
 * does not answer. */
int io_self_test(const struct io_choice *choice);

#endif
