/* test_duration: base/duration: durations and sizes as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/duration.h"

struct good {
    const char *text;
    uint64_t value;
    const char *formatted;
};

struct bad {
    const char *text, *problem;
};

typedef const char *parse_fn(uint64_t *value, const char *text);
typedef const char *format_fn(uint64_t value, char *buffer, size_t size);

static void check_good(const struct good *cases, size_t count, parse_fn *parse, format_fn *format)
{
    for (size_t i = 0; i < count; i++) {
        char text[DURATION_TEXT_BYTES];
        uint64_t value = 77;
        const char *problem = parse(&value, cases[i].text);
        if (problem)
            fail_msg("%s: %s", cases[i].text, problem);
        assert_true(value == cases[i].value);
        assert_string_equal(format(value, text, sizeof(text)), cases[i].formatted);
    }
}

static void check_bad(const struct bad *cases, size_t count, parse_fn *parse)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 77;
        const char *problem = parse(&value, cases[i].text);
        if (!problem || !strstr(problem, cases[i].problem))
            fail_msg("\"%s\": %s", cases[i].text, problem ? problem : "accepted");
        assert_true(value == 77);
    }
}

static void durations_are_read_and_written_in_the_largest_exact_unit(void **state)
{
    static const struct good cases[] = {
        {"0s", 0, "0s"},
        {"0ms", 0, "0s"},
        {"1ms", 1, "1ms"},
        {"999ms", 999, "999ms"},
        {"1000ms", 1000, "1s"},
        {"1500ms", 1500, "1500ms"},
        {"90s", 90000, "90s"},
        {"60s", 60000, "1m"},
        {"5m", 300000, "5m"},
        {"24h", 86400000, "24h"},
        {"18446744073709551615ms", UINT64_MAX, "18446744073709551615ms"},
        {"5124095576030h", UINT64_C(18446744073708000000), "5124095576030h"},
    };
    (void)state;
    check_good(cases, sizeof(cases) / sizeof(cases[0]), duration_parse, duration_format);
}

static void bad_durations_are_refused(void **state)
{
    static const struct bad cases[] = {
        {"", "not a duration"},
        {"s", "not a duration"},
        {"-1s", "not a duration"},
        {" 1s", "not a duration"},
        {"500", "needs a unit: ms, s, m or h"},
        {"0", "needs a unit"},
        {"1.5s", "not a whole number"},
        {"1 s", "not a whole number"},
        {"1s ", "not a whole number"},
        {"1h30m", "not a whole number"},
        {"1d", "not a whole number"},
        {"1S", "not a whole number"},
        {"18446744073709551616ms", "too large"},
        {"5124095576031h", "too large"},
        {"99999999999999999999999999h", "too large"},
    };
    (void)state;
    check_bad(cases, sizeof(cases) / sizeof(cases[0]), duration_parse);
}

static void microseconds_are_read_and_written_in_the_largest_exact_unit(void **state)
{
    static const struct good cases[] = {
        {"0us", 0, "0s"},
        {"50us", 50, "50us"},
        {"1000us", 1000, "1ms"},
        {"1500us", 1500, "1500us"},
        {"2s", 2000000, "2s"},
    };
    static const struct bad bad[] = {
        {"", "not a duration"},
        {"50", "needs a unit: us, ms or s"},
        {"1m", "not a whole number"},
        {"1.5ms", "not a whole number"},
        {"18446744073709551616us", "too large"},
    };
    (void)state;
    check_good(cases, sizeof(cases) / sizeof(cases[0]), duration_us_parse, duration_us_format);
    check_bad(bad, sizeof(bad) / sizeof(bad[0]), duration_us_parse);
}

static void sizes_are_read_and_written_in_the_largest_exact_unit(void **state)
{
    static const struct good cases[] = {
        {"0", 0, "0"},
        {"1", 1, "1"},
        {"1023", 1023, "1023"},
        {"1024", 1024, "1k"},
        {"64k", 65536, "64k"},
        {"1025k", 1049600, "1025k"},
        {"8m", 8388608, "8m"},
        {"4g", UINT64_C(4294967296), "4g"},
        {"18446744073709551615", UINT64_MAX, "18446744073709551615"},
        {"17179869183g", UINT64_C(17179869183) << 30, "17179869183g"},
    };
    (void)state;
    check_good(cases, sizeof(cases) / sizeof(cases[0]), size_parse, size_format);
}

static void bad_sizes_are_refused(void **state)
{
    static const struct bad cases[] = {
        {"", "not a size"},
        {"k", "not a size"},
        {"-1", "not a size"},
        {"1K", "not a whole number of bytes"},
        {"1kb", "not a whole number of bytes"},
        {"1.5m", "not a whole number of bytes"},
        {"1 k", "not a whole number of bytes"},
        {"18446744073709551616", "too large"},
        {"17179869184g", "too large"},
    };
    (void)state;
    check_bad(cases, sizeof(cases) / sizeof(cases[0]), size_parse);
}

static void text_that_does_not_fit_is_cut(void **state)
{
    char text[4];
    (void)state;
    assert_string_equal(duration_format(123456, text, sizeof(text)), "123");
    assert_string_equal(size_format(123457, text, sizeof(text)), "123");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_and_written_in_the_largest_exact_unit),
        cmocka_unit_test(bad_durations_are_refused),
        cmocka_unit_test(microseconds_are_read_and_written_in_the_largest_exact_unit),
        cmocka_unit_test(sizes_are_read_and_written_in_the_largest_exact_unit),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(text_that_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
