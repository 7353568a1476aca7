/* io/self_test.h: tries an engine before it is chosen. Private to src/io. */
#ifndef IO_SELF_TEST_H
#define IO_SELF_TEST_H

#include "io/io.h"

/* Creates an engine as in `choice`, uses it and frees it. Returns 0 if it kept the contract of io/io.h, else a negative errno. Takes milliseconds, or two
 * seconds if the kernel does not respond. */
int io_self_test(const struct io_choice *choice);

#endif
