/* test_status_list: base/status_list: which lists of HTTP status codes are accepted, and which codes they contain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/status_list.h"

#define NO_LIST "not a list of codes and ranges such as 200-299,401"
#define NO_CODE "a code is not from 100 to 599"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void a_list_contains_its_codes_and_ranges_and_no_other(void **state)
{
    static const struct {
        const char *list;
        long inside[6], outside[6]; /* 0: no more */
    } rows[] = {
        {"204", {204}, {203, 205, 20, 2040}},
        {"200-399", {200, 201, 398, 399}, {199, 400}},
        {"100-599", {100, 599}, {99, 600}},
        {"200-299,401,503", {200, 299, 401, 503}, {199, 300, 400, 402, 502, 504}},
        {"503 , 200-204,\t203-206", {200, 204, 205, 206, 503}, {199, 207, 502}},
        {"200-200", {200}, {199, 201}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_null(status_list_check(rows[i].list));
        for (size_t k = 0; k < 6 && rows[i].inside[k] != 0; k++)
            assert_true(status_list_contains(rows[i].list, rows[i].inside[k]));
        for (size_t k = 0; k < 6 && rows[i].outside[k] != 0; k++)
            assert_false(status_list_contains(rows[i].list, rows[i].outside[k]));
    }
}

static void what_is_wrong_with_a_list_is_said(void **state)
{
    static const struct {
        const char *list, *problem;
    } rows[] = {
        {"", NO_LIST}, {"2xx", NO_LIST}, {"200,", NO_LIST}, {",200", NO_LIST}, {"200,,201", NO_LIST}, {"200-", NO_LIST}, {"-200", NO_LIST},
        {"200 201", NO_LIST}, {"200 - 299", NO_LIST}, {"200-299-300", NO_LIST}, {"200;201", NO_LIST}, {"+200", NO_LIST}, {"0200", NO_LIST},
        {"99999999999999999999", NO_LIST}, {"200-99999999999999999999", NO_LIST}, {"200x", NO_LIST},
        {"99", NO_CODE}, {"600", NO_CODE}, {"200-600", NO_CODE}, {"0-599", NO_CODE}, {"200,7", NO_CODE},
        {"399-200", "a range ends before it begins"}, {"200,399-398", "a range ends before it begins"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_non_null(status_list_check(rows[i].list));
        assert_string_equal(status_list_check(rows[i].list), rows[i].problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_contains_its_codes_and_ranges_and_no_other),
        cmocka_unit_test(what_is_wrong_with_a_list_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
