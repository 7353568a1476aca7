/* test/sim/main.c: runs the workers on a simulated kernel, once for each seed. Test thread.
 *
 * Usage: sim [--seeds N] [--first S] [--seed S [--trace]] */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/log.h"
#include "world.h"

enum { SEEDS = 1000, TWICE_EVERY = 50 };

struct options {
    uint64_t first, count;
    bool trace;
};

static int usage(void)
{
    (void)fputs("usage: sim [--seeds N] [--first S] [--seed S [--trace]]\n", stderr);
    return 2;
}

/* Returns false if the text is not a number. */
static bool number(const char *text, uint64_t *value)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    *value = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options->trace = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            if (!number(argv[++i], &options->count))
                return false;
        } else if (strcmp(argv[i], "--first") == 0) {
            if (!number(argv[++i], &options->first))
                return false;
        } else if (strcmp(argv[i], "--seed") == 0) {
            if (!number(argv[++i], &options->first))
                return false;
            options->count = 1;
        } else {
            return false;
        }
    }
    return true;
}

/* Runs a seed. Some seeds run twice, because a run must depend on its seed alone. */
static const char *run(uint64_t seed, bool trace)
{
    uint64_t digest = 0, second = 0;
    const char *failed = world_run(seed, trace, &digest);

    if (failed || seed % TWICE_EVERY != 0 || trace)
        return failed;
    failed = world_run(seed, false, &second);
    return failed ? failed : digest == second ? NULL : "two runs of the seed differ";
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .count = SEEDS};
    struct log_options log = {.target = "/dev/null", .level = LOG_INFO, .access_target = "/dev/null"};
    const char *failed_path;
    uint64_t failed = 0;

    if (!parse(argc, argv, &options))
        return usage();
    if (log_start(&log, &failed_path) < 0)
        return 1;
    log_started();
    for (uint64_t seed = options.first; seed < options.first + options.count; seed++) {
        const char *what = run(seed, options.trace);

        if (!what)
            continue;
        failed++;
        (void)printf("seed %" PRIu64 " failed: %s; replay: %s --seed %" PRIu64 " --trace\n", seed, what, argv[0], seed);
        (void)fflush(stdout);
    }
    log_stop();
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", options.count - failed, failed);
    return failed ? 1 : 0;
}
