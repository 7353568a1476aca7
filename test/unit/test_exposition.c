/* test_exposition: the text format of Prometheus: numbers, labels with any bytes, and samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/exposition.h"

static void require_text(const struct exposition *exposition, const char *expected)
{
    if (exposition->length != strlen(expected) || memcmp(exposition->text, expected, exposition->length) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)exposition->length, exposition->text, expected);
}

static void numbers_have_no_rounding_and_no_trailing_zeros(void **state)
{
    static const struct {
        uint64_t number;
        unsigned decimals;
        const char *text;
    } cases[] = {
        {0, 0, "0"}, {0, 6, "0"}, {7, 0, "7"}, {120, 0, "120"}, {UINT64_MAX, 0, "18446744073709551615"}, {1, 6, "0.000001"}, {1500000, 6, "1.5"},
        {250, 6, "0.00025"}, {100, 2, "1"}, {99, 2, "0.99"}, {UINT64_MAX, 9, "18446744073.709551615"}, {1000000001, 9, "1.000000001"},
        {30000000, 6, "30"}, {123456789012345, 6, "123456789.012345"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[EXPOSITION_NUMBER_BYTES];
        size_t length = exposition_format_number(text, cases[i].number, cases[i].decimals);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(cases[i].text));
    }
}

static void labels_may_hold_any_bytes(void **state)
{
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"", ""}, {"t0.eu-1_a", "t0.eu-1_a"}, {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"}, {"tab\there\x7f\x01", "tab?here??"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xfe", "??"}, {"cut \xe2\x82", "cut ??"}, {"cut \xf0\x9f\x98", "cut ???"}, {"\x80 alone", "? alone"}, {"\xc0\xaf long", "?? long"},
        {"\xe0\x80\xaf long", "??? long"}, {"\xf0\x80\x80\xaf long", "???? long"}, {"\xed\xa0\x80 half", "??? half"}, {"\xf4\x90\x80\x80 far", "???? far"},
        {"\xf5\x80\x80\x80 far", "???? far"}, {"\xe2\x82\" end", "??\\\" end"}, {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[100] = "";
        struct exposition exposition = {0};
        exposition_add_label(&exposition, 0, "reason", cases[i].value);
        strcat(strcat(strcat(expected, "reason=\""), cases[i].written), "\"");
        require_text(&exposition, expected);
        exposition_deinit(&exposition);
    }
}

static void samples_have_their_labels_in_one_block(void **state)
{
    struct exposition exposition = {0}, labels = {0};
    (void)state;

    exposition_add_label(&labels, 0, "pool", "p");
    exposition_add_label(&labels, 0, "backend", "b");
    require_text(&labels, "pool=\"p\",backend=\"b\"");
    size_t second = labels.length;
    exposition_add_label(&labels, second, "worker", "3");
    require_text(&labels, "pool=\"p\",backend=\"b\"worker=\"3\"");

    exposition_add_family(&exposition, "x_seconds", "summary", "Time of x.");
    exposition_add_sample(&exposition, &(struct exposition_sample){.name = "x", .suffix = "", .number = 3});
    exposition_add_sample(&exposition, &(struct exposition_sample){.name = "x", .suffix = "", .label_name = "le", .label_value = "0.1", .number = 3});
    exposition_add_sample(&exposition, &(struct exposition_sample){
        .name = "x", .suffix = "_sum", .labels = labels.text, .labels_length = second, .number = 1500, .decimals = 3});
    exposition_add_sample(&exposition, &(struct exposition_sample){
        .name = "x", .suffix = "", .labels = labels.text + second, .labels_length = labels.length - second, .label_name = "reason", .label_value = "a \"b\" \xff"});
    require_text(&exposition, "# HELP x_seconds Time of x.\n# TYPE x_seconds summary\nx 3\nx{le=\"0.1\"} 3\nx_sum{pool=\"p\",backend=\"b\"} 1.5\n"
                              "x{worker=\"3\",reason=\"a \\\"b\\\" ?\"} 0\n");
    exposition_deinit(&labels);
    exposition_deinit(&exposition);
}

static void text_grows_and_keeps_what_it_has(void **state)
{
    struct exposition exposition = {0};
    char value[10001];
    (void)state;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int i = 0; i < 100; i++)
        exposition_add_label(&exposition, 0, "l", value);
    assert_false(exposition.failed);
    assert_int_equal(exposition.length, 100 * (sizeof(value) - 1 + strlen("l=\"\",")) - 1);
    for (size_t i = 0; i < exposition.length; i++)
        assert_non_null(memchr("lv=\",", exposition.text[i], 5));
    exposition_deinit(&exposition);
    assert_null(exposition.text);
    exposition_deinit(&exposition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_no_rounding_and_no_trailing_zeros),
        cmocka_unit_test(labels_may_hold_any_bytes),
        cmocka_unit_test(samples_have_their_labels_in_one_block),
        cmocka_unit_test(text_grows_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
