/* test_config_errors: however many errors there are, a bounded number of lines of bounded length is kept: the first ones in the order of the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/errors.h"
#include "config/load.h"

enum { KEPT = 50, MANY = 800000, DEADLINE_S = 10 };

static const struct config_source files[] = {{"a", 0}, {"b", 1}};

static void the_first_fifty_in_the_order_of_the_files_are_kept(void **state)
{
    struct config_errors *errors = config_errors_new();
    char wanted[40];
    (void)state;
    for (unsigned i = 0; i < 200; i++) /* added from the last line to the first, alternating between the files */
        config_errors_add(errors, &(struct config_place){&files[i % 2], 1 + (199 - i) / 2}, "error %u", i);
    config_errors_sort(errors);
    assert_int_equal(config_errors_count(errors), 200);
    assert_int_equal(config_errors_lines(errors), KEPT + 1);
    for (unsigned i = 0; i < KEPT; i++) {
        snprintf(wanted, sizeof(wanted), "a:%u: error %u", i + 1, 198 - 2 * i);
        assert_string_equal(config_errors_text(errors, i), wanted);
    }
    assert_string_equal(config_errors_text(errors, KEPT), "and 150 more errors");
    config_errors_free(errors);
}

static void fifty_errors_are_all_told(void **state)
{
    struct config_errors *errors = config_errors_new();
    (void)state;
    for (unsigned i = 0; i < KEPT; i++)
        config_errors_add(errors, &(struct config_place){&files[0], i + 1}, "error");
    config_errors_sort(errors);
    assert_int_equal(config_errors_lines(errors), KEPT);
    assert_string_equal(config_errors_text(errors, KEPT - 1), "a:50: error");
    config_errors_free(errors);
}

static void errors_do_not_fill_the_memory(void **state)
{
    struct config_errors *errors = config_errors_new();
    struct mallinfo2 before = mallinfo2();
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        config_errors_add(errors, &(struct config_place){&files[0], i + 1}, "an error of some length, as most of them have");
    config_errors_sort(errors);
    assert_int_equal(config_errors_count(errors), MANY);
    assert_true(mallinfo2().uordblks - before.uordblks < 100000);
    config_errors_free(errors);
}

static void a_long_message_keeps_its_beginning_and_its_end(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *value = calloc(1, 100001);
    const char *text;
    (void)state;
    memset(value, 'x', 100000);
    config_errors_add(errors, &(struct config_place){&files[0], 7}, "key = %s: not what it should be", value);
    config_errors_sort(errors);
    text = config_errors_text(errors, 0);
    assert_in_range(strlen(text), 700, 900);
    assert_memory_equal(text, "a:7: key = xxx", 14);
    assert_non_null(strstr(text, "xxx ... xxx"));
    assert_string_equal(text + strlen(text) - 25, "xx: not what it should be");
    config_errors_free(errors);
    free(value);
}

/* Formatting all of them would take minutes and exceed the deadline. */
static void errors_that_are_not_told_are_only_counted(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *value = calloc(1, 1000001);
    (void)state;
    memset(value, 'x', 1000000);
    alarm(DEADLINE_S);
    for (unsigned i = 0; i < MANY; i++)
        config_errors_add(errors, &(struct config_place){&files[0], 1000 + i}, "key = %s: wrong", value);
    alarm(0);
    for (unsigned i = 0; i < 10; i++) /* these are added last, but belong to earlier lines, so they are kept */
        config_errors_add(errors, &(struct config_place){&files[0], 10 - i}, "wrong");
    config_errors_sort(errors);
    assert_int_equal(config_errors_count(errors), MANY + 10);
    assert_string_equal(config_errors_text(errors, 0), "a:1: wrong");
    assert_memory_equal(config_errors_text(errors, 10), "a:1000: ", 8);
    assert_memory_equal(config_errors_text(errors, KEPT - 1), "a:1039: ", 8);
    assert_string_equal(config_errors_text(errors, KEPT), "and 799960 more errors");
    config_errors_free(errors);
    free(value);
}

static void garbage_is_told_in_few_lines(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *text = malloc(10 * MANY + 1);
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        memcpy(text + 10 * i, "gar bage!\n", 11);
    assert_null(config_load_text("test", text, 10 * (size_t)MANY, errors));
    assert_int_equal(config_errors_count(errors), MANY); /* the missing listener is not reported in addition */
    assert_int_equal(config_errors_lines(errors), KEPT + 1);
    assert_string_equal(config_errors_text(errors, 0), "test:1: not a [section], a \"key = value\" or a comment (which begins with \";\")");
    assert_string_equal(config_errors_text(errors, KEPT), "and 799950 more errors");
    config_errors_free(errors);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_fifty_in_the_order_of_the_files_are_kept),
        cmocka_unit_test(fifty_errors_are_all_told),
        cmocka_unit_test(errors_do_not_fill_the_memory),
        cmocka_unit_test(a_long_message_keeps_its_beginning_and_its_end),
        cmocka_unit_test(errors_that_are_not_told_are_only_counted),
        cmocka_unit_test(garbage_is_told_in_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
