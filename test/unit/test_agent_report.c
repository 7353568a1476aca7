/* test_agent_report.c: the lines that agents send, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "health/agent_report.h"

/* Writes the report as text, or the word that is not valid. */
static const char *read_line(const char *line)
{
    static const char *const modes[] = {"", " ready", " drain", " maint"}, *const services[] = {"", " up", " down"}, *const units[] = {"", "%", ""};
    static char text[200];
    struct agent_report report;
    const char *bad;
    size_t bad_bytes;
    int length;

    if (!agent_report_parse(&report, line, strlen(line), &bad, &bad_bytes)) {
        snprintf(text, sizeof(text), "bad: %.*s", (int)bad_bytes, bad);
        return text;
    }
    assert_true((report.service == AGENT_SERVICE_SAME) == !report.service_word);
    length = snprintf(text, sizeof(text), "%s%s", modes[report.mode], services[report.service]);
    if (report.weight_unit != AGENT_UNIT_SAME)
        length += snprintf(text + length, sizeof(text) - (size_t)length, " weight %u%s", report.weight, units[report.weight_unit]);
    if (report.has_limit)
        length += snprintf(text + length, sizeof(text) - (size_t)length, " limit %u", report.max_connections);
    if (report.reason[0] != '\0')
        snprintf(text + length, sizeof(text) - (size_t)length, " (%s)", report.reason);
    return text;
}

static void lines_are_read(void **state)
{
    static const struct {
        const char *line, *report;
    } rows[] = {
        {"", ""},
        {" ,\t,", ""},
        {"75%", " weight 75%"},
        {"0%", " weight 0%"},
        {"25600%", " weight 25600%"},
        {"weight:75%", " weight 75%"},
        {"weight:0", " weight 0"},
        {"WEIGHT:256", " weight 256"},
        {"weight:007", " weight 7"},
        {"maxconn:30", " limit 30"},
        {"maxconn:0", " limit 0"},
        {"up", " up"},
        {"Up ready", " ready up"},
        {"DRAIN", " drain"},
        {"maint", " maint"},
        {"down", " down"},
        {"fail", " down"},
        {"stopped", " down"},
        {"down#too many requests", " down (too many requests)"},
        {"down #  too many requests", " down (too many requests)"},
        {"stopped,50% # a, b", " down weight 50% (a, b)"},
        {"up\t75%, maxconn:4 ready", " ready up weight 75% limit 4"},
        {"up down 10% 20%", " down weight 20%"},
        {"#only words", " (only words)"},
        {"down#bell \a and \xff", " down (bell ? and ?)"},
        {"down#12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         " down (1234567890123456789012345678901234567890123456789012345678901234567890123456789)"},
        {"down#", " down"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(read_line(rows[i].line), rows[i].report);
}

static void lines_that_are_not_valid_name_the_word(void **state)
{
    static const struct {
        const char *line, *report;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request", "bad: HTTP/1.1"},
        {"up SSH-2.0-OpenSSH_9.2", "bad: SSH-2.0-OpenSSH_9.2"},
        {"the disk is down to 75%", "bad: the"},
        {"75", "bad: 75"},
        {"%", "bad: %"},
        {"-5%", "bad: -5%"},
        {"7 5%", "bad: 7"},
        {"25601%", "bad: 25601%"},
        {"99999999999999999999%", "bad: 99999999999999999999%"},
        {"weight:", "bad: weight:"},
        {"weight:257", "bad: weight:257"},
        {"weight:1.5", "bad: weight:1.5"},
        {"weight:%", "bad: weight:%"},
        {"maxconn:", "bad: maxconn:"},
        {"maxconn:10000001", "bad: maxconn:10000001"},
        {"maxconn:5%", "bad: maxconn:5%"},
        {"upp", "bad: upp"},
        {"u", "bad: u"},
        {"downstairs", "bad: downstairs"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(read_line(rows[i].line), rows[i].report);
}

static void a_zero_byte_is_not_valid(void **state)
{
    struct agent_report report;
    const char *bad;
    size_t bad_bytes;

    (void)state;
    assert_false(agent_report_parse(&report, "up\0", 3, &bad, &bad_bytes));
    assert_int_equal(bad_bytes, 3);
}

static void the_line_ends_where_it_should(void **state)
{
    static const struct {
        const char *data;
        bool is_end, found;
        size_t length;
    } rows[] = {
        {"", false, false, 0}, {"", true, true, 0}, {"up", false, false, 2}, {"up", true, true, 2}, {"up\n", false, true, 2}, {"up\rdown\n", false, true, 2},
        {"\nup\n", false, true, 0},
    };
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(agent_report_find_line((const uint8_t *)rows[i].data, strlen(rows[i].data), rows[i].is_end, &length), rows[i].found);
        assert_int_equal(length, rows[i].length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(lines_that_are_not_valid_name_the_word),
        cmocka_unit_test(a_zero_byte_is_not_valid),
        cmocka_unit_test(the_line_ends_where_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
