/* test_cli_format.c: numbers, times and names in the columns of the command line's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/format.h"

struct row {
    double value;
    const char *text;
};

static void assert_rows(const char *(*format)(double value, char *text), const struct row *rows, size_t count)
{
    char text[FORMAT_BYTES];

    for (size_t i = 0; i < count; i++)
        assert_string_equal(format(rows[i].value, text), rows[i].text);
}

#define ASSERT_ROWS(format, rows) assert_rows(format, rows, sizeof(rows) / sizeof((rows)[0]))

static void counts_have_at_most_five_characters(void **state)
{
    static const struct row rows[] = {{0, "0"}, {-1, "0"}, {NAN, "0"}, {99999, "99999"}, {100000, "100k"}, {999499, "999k"}, {999500, "1.0M"},
                                      {1234567, "1.2M"}, {9949999, "9.9M"}, {9950000, "10M"}, {1e9, "1.0G"}, {1.8e18, "1800P"}};

    (void)state;
    ASSERT_ROWS(format_count, rows);
}

static void bytes_have_binary_units(void **state)
{
    static const struct row rows[] = {{0, "0"}, {1023, "1023"}, {1024, "1.0k"}, {1536, "1.5k"}, {10240, "10k"}, {1048575, "1.0M"}, {5e9, "4.7G"}};

    (void)state;
    ASSERT_ROWS(format_bytes, rows);
}

static void milliseconds_have_two_digits_or_more(void **state)
{
    static const struct row rows[] = {{-1, "-"}, {NAN, "-"}, {0, "0.00ms"}, {0.214, "0.21ms"}, {0.994, "0.99ms"}, {0.999, "1.0ms"}, {9.94, "9.9ms"},
                                      {9.96, "10ms"}, {999, "999ms"}, {999.6, "1.0s"}, {3200, "3.2s"}, {61000, "61s"}};

    (void)state;
    ASSERT_ROWS(format_ms, rows);
}

static void ages_have_two_units(void **state)
{
    static const struct row rows[] = {{-1, "0s"}, {0.9, "0s"}, {59.9, "59s"}, {60, "1m0s"}, {3599, "59m59s"}, {3600, "1h0m"}, {11520, "3h12m"},
                                      {86399, "23h59m"}, {86400, "1d0h"}, {8639999, "99d23h"}, {8640000, "100d"}};

    (void)state;
    ASSERT_ROWS(format_age, rows);
}

static void long_names_keep_both_ends(void **state)
{
    char text[FORMAT_BYTES];

    (void)state;
    assert_string_equal(format_cut("abcdefghij", 10, text), "abcdefghij");
    assert_string_equal(format_cut("abcdefghijk", 10, text), "abcd..hijk");
    assert_string_equal(format_cut("gpu-rack-0012-slot-3-node-17", 20, text), "gpu-rack-..3-node-17");
    assert_string_equal(format_cut("abcdefghij", 5, text), "ab..j");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_have_at_most_five_characters),
        cmocka_unit_test(bytes_have_binary_units),
        cmocka_unit_test(milliseconds_have_two_digits_or_more),
        cmocka_unit_test(ages_have_two_units),
        cmocka_unit_test(long_names_keep_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
