/* test_config_lines: lines of any length up to the limit are read in full. Longer ones are refused with their line number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "loading.h"

#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define POOL "[pool p]\nbackend=b 127.0.0.1:2\n"

static char text[4 * CONFIG_LINE_BYTES_MAX];

/* Returns a text of `n` bytes that are not all the same. */
static const char *filler(size_t n)
{
    static char bytes[2 * CONFIG_LINE_BYTES_MAX];

    assert_true(n < sizeof(bytes));
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + i % 26);
    bytes[n] = '\0';
    return bytes;
}

/* Appends `piece` and then `filler_bytes` bytes of filler to `text`. */
static void put(const char *piece, size_t filler_bytes)
{
    assert_true(strlen(text) + strlen(piece) + filler_bytes < sizeof(text));
    strcat(text, piece);
    strcat(text, filler(filler_bytes));
}

/* Loads `text`, which must be refused with exactly one error. */
static void refused_with(const char *wanted)
{
    struct config_errors *errors = config_errors_new();
    assert_null(config_load_text("test", text, strlen(text), errors));
    assert_int_equal(config_errors_count(errors), 1);
    assert_string_equal(config_errors_text(errors, 0), wanted);
    config_errors_free(errors);
}

static void a_value_of_any_length_comes_whole(void **state)
{
    static const struct {
        const char *before, *after;
    } forms[] = {{"check_body=", "\n"}, {"   check_body =   ", "   \n"}, {"\tcheck_body\t=\t", "\t; a comment\r\n"}, {"check_body=", ""}};
    (void)state;
    for (size_t n = 1; n <= 1024; n++) {
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            text[0] = '\0';
            put(LISTENER POOL "check=http\n", 0);
            put(forms[i].before, n);
            put(forms[i].after, 0);
            struct config *config = load_good(text);
            assert_string_equal(config->pools[0].settings.check_body, filler(n));
            config_free(config);
        }
    }
}

/* Keys with a limit on their length accept a value of exactly that length. */
static void what_a_key_allows_can_be_written(void **state)
{
    struct config *config;
    (void)state;
    text[0] = '\0';
    put("[global]\nlog=/", 4094);
    put("\n" LISTENER "[pool p]\ncheck=http\nbackend=", 63);
    put(" unix:/", 106);
    put(" weight=256 max_connections=10000000 backup\ncheck_path=/", 1023);
    put("\ncheck_host=", 255);
    config = load_good(text);
    assert_string_equal(config->log + 1, filler(4094));
    assert_string_equal(config->pools[0].backends[0].name, filler(63));
    assert_string_equal(config->pools[0].backends[0].addr.un.sun_path + 1, filler(106));
    assert_true(config->pools[0].backends[0].settings.backup);
    assert_string_equal(config->pools[0].settings.check_path + 1, filler(1023));
    assert_string_equal(config->pools[0].settings.check_host, filler(255));
    config_free(config);
}

static void a_value_that_its_key_does_not_allow_is_refused(void **state)
{
    struct config_errors *errors = config_errors_new();
    (void)state;
    text[0] = '\0';
    put(LISTENER POOL "check=http\ncheck_body=", 1025);
    put("\nrise=0\ncheck_send=", 1025);
    assert_null(config_load_text("test", text, strlen(text), errors));
    assert_int_equal(config_errors_count(errors), 3);
    assert_non_null(strstr(config_errors_text(errors, 0), ": 1025 bytes long; at most 1024 are allowed"));
    assert_string_equal(config_errors_text(errors, 1), "test:8: rise = 0: not in the range: 1 to 100");
    assert_non_null(strstr(config_errors_text(errors, 2), ": 1025 bytes long; at most 1024 are allowed"));
    config_errors_free(errors);
}

static void a_line_over_the_limit_is_refused(void **state)
{
    static const struct {
        const char *before, *after;
        size_t bytes; /* length of the line without its comment */
    } cases[] = {
        {"check_host=", "\n", CONFIG_LINE_BYTES_MAX + 1},
        {"check_host=", " ; a comment that does not count\n", CONFIG_LINE_BYTES_MAX + 1},
        {"", "\n", CONFIG_LINE_BYTES_MAX + 1},
        {"[pool ", "]\nnonsense=1\n", CONFIG_LINE_BYTES_MAX + 2}, /* the keys of a refused section are ignored */
    };
    char wanted[100];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text[0] = '\0';
        put(LISTENER POOL "check=http\n", 0);
        put(cases[i].before, CONFIG_LINE_BYTES_MAX + 1 - strlen(cases[i].before));
        put(cases[i].after, 0);
        snprintf(wanted, sizeof(wanted), "test:7: line of %zu bytes; at most %d are allowed", cases[i].bytes, CONFIG_LINE_BYTES_MAX);
        refused_with(wanted);
    }
}

static void a_comment_may_be_longer_than_a_line(void **state)
{
    (void)state;
    text[0] = '\0';
    put(";", CONFIG_LINE_BYTES_MAX);
    put("\n" LISTENER POOL "rise=1 ; ", CONFIG_LINE_BYTES_MAX);
    config_free(load_good(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_any_length_comes_whole),
        cmocka_unit_test(what_a_key_allows_can_be_written),
        cmocka_unit_test(a_value_that_its_key_does_not_allow_is_refused),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(a_comment_may_be_longer_than_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
