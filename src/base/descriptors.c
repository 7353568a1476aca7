/* base/descriptors.c: opens /dev/null in place of standard descriptors that the parent process has closed. Main thread. */
#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool descriptors_open_standard(const char *program)
{
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++) {
        if (fcntl(standard, F_GETFD) >= 0)
            continue;
        /* open() returns the lowest free number. That is this one, because all lower ones are open. */
        if (open("/dev/null", O_RDWR) < 0) {
            fprintf(stderr, "%s: descriptor %d is closed, and /dev/null cannot be opened in its place: %s\n", program, standard, strerror(errno));
            return false;
        }
    }
    return true;
}
