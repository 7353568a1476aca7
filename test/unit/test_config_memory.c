/* test_config_memory: memory that runs out at any moment of loading is an error like others: nothing crashes, nothing is lost.
 *
 * The allocator is replaced for the whole program, which the sanitizers do too: with them this is skipped. */
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

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Allocations that still succeed; below 0: all do. */
static long left = -1;
static bool failed;
static long live; /* blocks not freed yet */

#ifndef SANITIZED

/* glibc's own names for its allocator. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void __libc_free(void *block);

/* From the chosen one on, every allocation fails: what is short stays short. */
static bool fails(void)
{
    if (left < 0)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    void *block = fails() ? NULL : __libc_malloc(bytes);
    live += block != NULL;
    return block;
}

void *calloc(size_t count, size_t bytes)
{
    void *block = fails() ? NULL : __libc_calloc(count, bytes);
    live += block != NULL;
    return block;
}

void *realloc(void *old, size_t bytes)
{
    void *block = fails() ? NULL : __libc_realloc(old, bytes);
    live += block != NULL && !old;
    return block;
}

void free(void *block)
{
    live -= block != NULL;
    __libc_free(block);
}

#endif

/* One load in which allocation number `survives` and all after it fail. False: there were not so many. */
static bool load_with(const char *path, long survives, size_t errors_wanted)
{
    long before = live;
    struct config_errors *errors = config_errors_new();
    bool told = false;

    assert_non_null(errors);
    failed = false;
    left = survives;
    struct config *config = config_load(path, errors);
    left = -1;
    for (size_t i = 0; i < config_errors_lines(errors); i++)
        told = told || strstr(config_errors_text(errors, i), "emory");
    if (config && (failed || errors_wanted > 0))
        fail_msg("%s: a configuration in spite of allocation %ld", path, survives);
    if (!config && config_errors_count(errors) == 0)
        fail_msg("%s: no configuration and no error at allocation %ld", path, survives);
    if (told && !failed)
        fail_msg("%s: a false alarm", path);
    if (!told && config_errors_count(errors) != errors_wanted) /* the C library may help itself: qsort() does */
        fail_msg("%s: allocation %ld: nobody is told", path, survives);
    config_free(config);
    config_errors_free(errors);
    if (live != before)
        fail_msg("%s: %ld blocks lost at allocation %ld", path, live - before, survives);
    return failed;
}

static void sweep(const char *path, size_t errors_wanted)
{
    long n = 0;
#ifdef SANITIZED
    skip();
#endif
    (void)load_with(path, -1, errors_wanted); /* what the C library keeps for good */
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

/* Whether backends lead back to a listener: paths, and the addresses of this machine. */
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

/* Many errors, included files, ranges, words that take up more than one block. */
static void loading_what_is_wrong_throughout(void **state)
{
    enum { BACKENDS = 40 }; /* each is wrong in four ways */
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
