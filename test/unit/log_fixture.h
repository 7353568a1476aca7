/* log_fixture.h: what the tests of the log share: a folder for its files, pipes and readers. */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"

enum { DEADLINE_MS = 20000 };

static char folder[64];

static inline const char *file(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static uint64_t now_ms(void)
{
    return clock_now_ns() / 1000000;
}

static inline char *slurp(const char *path)
{
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t length = fread(text, 1, (1 << 20) - 1, stream);
    text[length] = '\0';
    fclose(stream);
    return text;
}

static inline void start(const char *path, enum log_level level, const char *access_path)
{
    const char *failed;
    struct log_options options = { .target = path, .level = level, .access_target = access_path };
    assert_int_equal(log_start(&options, &failed), 0);
}

/* Reads from `fd` until `text` was seen or the deadline passed; what was read is in `out`. */
static inline bool read_until(int fd, const char *text, char *out, size_t size)
{
    uint64_t deadline = now_ms() + DEADLINE_MS;
    size_t length = 0;

    out[0] = '\0';
    while (now_ms() < deadline && length + 1 < size) {
        struct pollfd poller = { .fd = fd, .events = POLLIN };
        if (poll(&poller, 1, 50) <= 0)
            continue;
        ssize_t got = read(fd, out + length, size - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        out[length] = '\0';
        if (strstr(out, text) != NULL)
            return true;
    }
    return false;
}

static inline int stderr_to(int fd)
{
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    return saved;
}

static inline void stderr_back(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
}

struct flood {
    unsigned lines;
    uint64_t longest_ns; /* the longest duration of one call */
};

static inline void *log_flood(void *argument)
{
    struct flood *flood = argument;
    for (unsigned i = 0; i < flood->lines; i++) {
        uint64_t began_ns = clock_now_ns();
        log_info("flood %u ..............................................................", i);
        uint64_t took_ns = clock_now_ns() - began_ns;
        flood->longest_ns = took_ns > flood->longest_ns ? took_ns : flood->longest_ns;
    }
    return NULL;
}

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/penstock-test-log-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0;
}

#endif
