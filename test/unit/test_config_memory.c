/* test_config_memory: if memory runs out at any moment of loading, that is reported as an error. Nothing crashes, and no memory leaks.
 *
 * Skipped with the sanitizers, which have their own allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "scarce_memory.h"

/* Loads a file while allocation number `survives` and all later ones fail. Returns false if no allocation had to fail. */
static bool load_with(const char *path, long survives, size_t errors_wanted)
{
    long before = memory_blocks;
    struct config_errors *errors = config_errors_new();
    bool told = false;

    assert_non_null(errors);
    memory_failed = false;
    memory_left = survives;
    struct config *config = config_load(path, errors);
    memory_left = -1;
    for (size_t i = 0; i < config_errors_lines(errors); i++)
        told = told || strstr(config_errors_text(errors, i), "emory");
    if (config && (memory_failed || errors_wanted > 0))
        fail_msg("%s: a configuration in spite of allocation %ld", path, survives);
    if (!config && config_errors_count(errors) == 0)
        fail_msg("%s: no configuration and no error at allocation %ld", path, survives);
    if (told && !memory_failed)
        fail_msg("%s: a false alarm", path);
    if (!told && config_errors_count(errors) != errors_wanted) /* no error is needed if the C library can do without the memory, as qsort() does */
        fail_msg("%s: allocation %ld: nobody is told", path, survives);
    config_free(config);
    config_errors_free(errors);
    if (memory_blocks != before)
        fail_msg("%s: %ld blocks lost at allocation %ld", path, memory_blocks - before, survives);
    return memory_failed;
}

static void sweep(const char *path, size_t errors_wanted)
{
    long n = 0;
#ifndef MEMORY_IS_SCARCE
    skip();
#endif
    (void)load_with(path, -1, errors_wanted); /* the first load allocates what the C library never frees */
    while (load_with(path, n, errors_wanted))
        n++;
    assert_true(n >= 3);
}

static void loading_the_sample(void **state)
{
    (void)state;
    sweep("etc/penstock.ini", 0);
}

static void loading_the_demo(void **state)
{
    static const char *const names[] = {"DEMO_PORT", "DEMO_QUICK_1", "DEMO_QUICK_2", "DEMO_SLOW"};
    char port[16];
    (void)state;
    setenv("DEMO_LOG", "stderr", 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(port, sizeof(port), "%zu", 8000 + i);
        setenv(names[i], port, 1);
    }
    sweep("etc/demo.ini", 0);
}

/* Covers the check whether backends lead back to a listener, with paths and with the addresses of this machine. */
static void loading_what_might_lead_back(void **state)
{
    char path[] = "/tmp/penstock-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    (void)state;
    assert_non_null(file);
    fputs("[listener l]\nbind=*:8000\nbind=unix:/tmp/a\npool=p\n[pool p]\nbackend=a 203.0.113.1:8000\nbackend=b unix:/tmp/b\nbackend=c unix:/tmp/a\n", file);
    fclose(file);
    sweep(path, 1);
    unlink(path);
}

/* Covers many errors, included files, ranges, and words that take more than one block of memory. */
static void loading_what_is_wrong_throughout(void **state)
{
    enum { BACKENDS = 40 }; /* each has four errors */
    char path[] = "/tmp/penstock-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    (void)state;
    assert_non_null(file);
    fputs("[global]\ninclude=/tmp/penstock-none/*.ini\ninclude=/tmp/penstock-none*.ini\ncpu_affinity=0-9\nnonsense\nwrokers=1\n"
          "[listener l]\nbind=*:8000-9000\nbind=*:8500\npool=q\n[pool p]\nbackend=a\nbackend=b 127.0.0.1:8001\n", file);
    for (int i = 0; i < BACKENDS; i++)
        fprintf(file, "backend=b%d 127.0.0.1:8001 weight=0 backup=1 red green\n", i);
    fclose(file);
    sweep(path, 6 + 4 * BACKENDS);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_the_sample),
        cmocka_unit_test(loading_the_demo),
        cmocka_unit_test(loading_what_might_lead_back),
        cmocka_unit_test(loading_what_is_wrong_throughout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
