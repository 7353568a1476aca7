/* test_config_many: the time to read a file grows in proportion to its names, addresses and errors. A file with 100,000 of them takes about a second; it would
 * take minutes if every name were compared with all names before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/load.h"

enum { MANY = 100000, DEADLINE_S = 30 };

#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define POOL "[pool p]\nbackend=b 127.0.0.1:2\n"

struct many {
    const char *situation;
    const char *before, *after;
    const char *repeated; /* repeated with a running number for "%1$u", or with its bytes for "%2$u.%3$u.%4$u" */
    size_t errors;
};

static struct many cases[] = {
    {"pools", LISTENER POOL, "", "[pool p%1$u]\nbackend=b 127.0.0.1:2\n", 0},
    {"pools_without_backends", LISTENER POOL, "", "[pool p%1$u]\n", MANY},
    {"listeners", POOL, "", "[listener l%1$u]\nbind=unix:/l%1$u\npool=p\n", 0},
    {"listeners_of_pools_that_are_not_there", LISTENER POOL, "", "[listener l%1$u]\nbind=unix:/l%1$u\npool=q%1$u\n", MANY},
    {"addresses_of_one_port", LISTENER, POOL, "bind=127.%2$u.%3$u.%4$u:3\n", 0},
    {"paths", LISTENER, POOL, "bind=unix:/l%1$u\n", 0},
    {"one_address_again_and_again", LISTENER, POOL, "bind=127.0.0.1:1\n", MANY},
    {"unknown_keys", LISTENER POOL, "", "rize%1$u=1\n", MANY},
    {"one_key_again_and_again", LISTENER POOL "rise=1\n", "", "rise=1\n", MANY},
    {"backends", LISTENER POOL, "", "backend=b%1$u 127.0.0.1:2\n", 0},
};

/* A test that misses its deadline is ended by alarm(2), so that it fails. If each name were compared with all others, a test would take minutes. */
static void are_read_in_time(void **state)
{
    const struct many *many = *state;
    struct config_errors *errors = config_errors_new();
    struct config *config;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    assert_non_null(stream);
    fputs(many->before, stream);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (unsigned i = 0; i < MANY; i++)
        fprintf(stream, many->repeated, i, i >> 16 & 255, i >> 8 & 255, i & 255);
#pragma GCC diagnostic pop
    fputs(many->after, stream);
    assert_int_equal(fclose(stream), 0);
    alarm(DEADLINE_S);
    config = config_load_text("test", text, bytes, errors);
    alarm(0);
    assert_int_equal(config_errors_count(errors), many->errors);
    assert_int_equal(config == NULL, many->errors > 0);
    config_free(config);
    config_errors_free(errors);
    free(text);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(cases) / sizeof(cases[0])] = {{0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        tests[i] = (struct CMUnitTest){.name = cases[i].situation, .test_func = are_read_in_time, .initial_state = &cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
