/* base/clock.c: monotonic time. Any thread; owns nothing. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);

    assert(!failed);
    (void)failed;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
